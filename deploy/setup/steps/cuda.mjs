// The CUDA libraries beside the TensorFlow that was built for them; only with a GPU.
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { asFailure } from '../failure.mjs';
import { readJson, unfinishedFolder, writeWhole } from '../files.mjs';
import { requirePip, requireSpace } from '../prerequisites.mjs';
import { CUDA_BYTES, CUDA_WHEELS, libraryFolder } from '../tensorflow.mjs';
import { downloadWheel, unpackWheel } from '../wheels.mjs';

/** Everything but headers and static libraries, which only building against CUDA would need. */
const WANTED = 'nvidia/[^/]+/(?!.*\\.(h|hpp|a|cuh|inl)$)';

/** Each wheel is put in place on its own, so an interrupted download goes on where it was. */
const recordPath = (cache, folder) => join(libraryFolder(cache, 'gpu'), 'nvidia', folder, '.semlink.json');
const isThere = (cache, { pin, folder }) => readJson(recordPath(cache, folder))?.pin === pin;

export const cuda = {
  title: 'CUDA libraries',

  async isDone({ cache, device }) {
    return device === 'cpu' || CUDA_WHEELS.every((wheel) => isThere(cache, wheel));
  },

  async run({ cache, progress }) {
    await requirePip();
    const missing = CUDA_WHEELS.filter((wheel) => !isThere(cache, wheel));
    requireSpace(cache, (CUDA_BYTES * missing.length) / CUDA_WHEELS.length, 'CUDA');
    for (const [number, { pin, folder }] of missing.entries()) {
      const work = unfinishedFolder(cache);
      try {
        const what = `${number + 1} of ${missing.length}, fetching ${pin.replace('==', ' ')}`;
        const wheel = await downloadWheel({ pin, what, folder: work, progress });
        await unpackWheel({ wheel, folder: work, pattern: WANTED, progress });
        const staged = join(work, 'nvidia', folder);
        const assembler = join(staged, 'bin', 'ptxas');
        if (existsSync(assembler)) chmodSync(assembler, 0o755); // unpacking a zip drops the mode
        writeWhole(join(staged, '.semlink.json'), JSON.stringify({ pin }));
        const target = join(libraryFolder(cache, 'gpu'), 'nvidia', folder);
        mkdirSync(join(target, '..'), { recursive: true });
        if (existsSync(target)) renameSync(target, join(work, 'replaced'));
        renameSync(staged, target);
      } catch (error) {
        throw asFailure(error, { doing: `Fetching ${pin.replace('==', ' ')}`, folder: cache });
      } finally {
        rmSync(work, { recursive: true, force: true });
      }
    }
  },
};
