// TensorFlow's C library and headers, taken out of the wheel that the Python package index has.
//
// The npm package would fetch them itself, from a storage bucket that no longer answers; the wheel holds the same C API.
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { asFailure } from '../failure.mjs';
import { fingerprint, readJson, unchanged, unfinishedFolder, writeWhole } from '../files.mjs';
import { requirePip, requireSpace } from '../prerequisites.mjs';
import { libraryFolder, TENSORFLOW_VERSION, WHEELS } from '../tensorflow.mjs';
import { downloadWheel, unpackWheel } from '../wheels.mjs';

const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];
const WANTED = `tensorflow/(libtensorflow_(cc|framework)\\.so\\.2$|include/(tensorflow/c/|tensorflow/core/platform/ctstring|tsl/(c|platform)/|xla/tsl/c/).*\\.h$)`;

/** Written as the last file of a library folder: the libraries' sizes and times. */
const recordPath = (folder) => join(folder, 'complete.json');

export const library = {
  title: 'TensorFlow library',

  async isDone({ cache, device }) {
    const folder = libraryFolder(cache, device);
    return unchanged(folder, readJson(recordPath(folder))?.files);
  },

  async run({ cache, device, progress }) {
    const { project, sha256, bytes, unpacked } = WHEELS[device];
    await requirePip();
    requireSpace(cache, bytes + unpacked + 200e6, `TensorFlow ${TENSORFLOW_VERSION}`);
    const work = unfinishedFolder(cache);
    try {
      const download = join(work, 'download');
      const extracted = join(work, 'extracted');
      mkdirSync(download);
      mkdirSync(extracted);
      const pin = `${project}==${TENSORFLOW_VERSION}`;
      const wheel = await downloadWheel({ pin, sha256, bytes, folder: download, progress });
      await unpackWheel({ wheel, folder: extracted, pattern: WANTED, bytes: unpacked, progress });
      rmSync(download, { recursive: true });
      publish(join(extracted, 'tensorflow'), work, libraryFolder(cache, device));
    } catch (error) {
      throw asFailure(error, { doing: `Fetching TensorFlow ${TENSORFLOW_VERSION}`, folder: cache });
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  },
};

/** Arranges what came out of the wheel as lib/ and include/, and puts it in place in one rename. */
function publish(from, work, folder) {
  const staged = join(work, 'library');
  mkdirSync(join(staged, 'lib'), { recursive: true });
  renameSync(join(from, 'include'), join(staged, 'include'));
  for (const name of LIBRARIES) renameSync(join(from, name), join(staged, 'lib', name));
  symlinkSync('libtensorflow_cc.so.2', join(staged, 'lib', 'libtensorflow.so')); // what -ltensorflow looks for
  symlinkSync('libtensorflow_framework.so.2', join(staged, 'lib', 'libtensorflow_framework.so'));
  const files = Object.fromEntries(LIBRARIES.map((name) => [`lib/${name}`, fingerprint(join(staged, 'lib', name))]));
  // CUDA libraries fetched earlier stay, should only the library itself have been damaged.
  if (existsSync(join(folder, 'nvidia'))) renameSync(join(folder, 'nvidia'), join(staged, 'nvidia'));
  writeWhole(recordPath(staged), JSON.stringify({ version: TENSORFLOW_VERSION, files }));
  mkdirSync(join(folder, '..'), { recursive: true });
  if (existsSync(folder)) renameSync(folder, join(work, 'replaced'));
  renameSync(staged, folder);
}
