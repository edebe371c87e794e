import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { colourModel, writeColourModel } from '../../services/teacher/onnx.fixture.js';
import { SeededViews, writeImageView, writeView } from '../../shared/data/augment.js';
import { cifar10DataSet } from '../../shared/data/labelled-images.js';
import { FolderStore } from '../../shared/knowledge/folder-store.js';
import { KnowledgeSet } from '../../shared/knowledge/knowledge-set.js';
import { verifyKnowledge } from '../../shared/knowledge/verify.js';
import { type CommandRun, semlink, startSemlink } from '../integration/semlink-command.fixture.js';
import { scrape } from '../telemetry/exposition-parse.js';
import { type ModelServer, startModelServer } from './model-server.fixture.js';

/** 30 images of the held-out part, 4 views each, in shards of 5 images. */
const IMAGES = 30;
const VIEWS = 4;
const SET = ['--split', 'holdout', '--images', `${IMAGES}`, '--views', `${VIEWS}`, '--images-per-shard', '5'];

let folder: string;
let server: ModelServer;
const running: CommandRun[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-teach-'));
  server = await startModelServer();
});
beforeEach(() => {
  server.delayMs = 0;
  server.images = 0;
});
afterAll(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await server.stop();
});

const store = (name: string): string => path.join(folder, name);
const remote = (): string => `grpc://${server.address}/large`;

function teach(name: string, ...more: string[]): string[] {
  return ['teach', '--teacher', remote(), ...SET, '--store', store(name), ...more];
}

/** Every file of a set and its content. */
async function contentOf(name: string): Promise<Record<string, string>> {
  const files = (await readdir(store(name))).sort();
  return Object.fromEntries(
    await Promise.all(files.map(async (file) => [file, await readFile(path.join(store(name), file), 'hex')])),
  );
}

/** The server's model, on an image that the teacher was shown: planes R, G, B of pixel / 255. */
function serverLogits(rgb: Uint8Array): number[] {
  const logits = Array<number>(10).fill(0);
  for (let i = 0; i < 3072; i++) logits[i % 10]! += rgb[3 * (i % 1024) + Math.floor(i / 1024)]! / 255 / 40;
  return logits;
}

/** The shards that are there. */
async function shardsOf(name: string): Promise<string[]> {
  if (!existsSync(store(name))) return [];
  return (await readdir(store(name))).filter((file) => file.endsWith('.shard'));
}

async function untilShards(name: string, count: number): Promise<void> {
  while ((await shardsOf(name)).length < count) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Starts teaching slowly and waits until some shards are stored. */
async function teachSlowly(name: string, shards: number, ...more: string[]): Promise<CommandRun> {
  server.delayMs = 150;
  const run = startSemlink(teach(name, ...more));
  running.push(run);
  await untilShards(name, shards);
  return run;
}

describe('semlink teach', () => {
  it('stores what the teacher says about each view, and publishes the set', async () => {
    const { status, stderr } = await semlink(teach('whole'));
    expect([status, stderr]).toEqual([0, expect.stringContaining('published')]);
    // One more to see what the model gives.
    expect(server.images).toBe(IMAGES * VIEWS + 1);
    expect(await verifyKnowledge(new FolderStore(store('whole')))).toEqual({
      shards: 6,
      records: IMAGES * VIEWS,
      faults: [],
    });

    const data = await cifar10DataSet('holdout');
    const set = await KnowledgeSet.open(new FolderStore(store('whole')), { expected: { dataSetSha256: data.sha256 } });
    const views = new SeededViews(1);
    const [image, view] = [17, 3];
    const record = set.codec.decode(await set.readRecords([image * VIEWS + view]), 0);
    expect(record.view).toEqual(views.viewOf(image, view));
    const rgb = new Uint8Array(3072);
    writeView(data.rgb, image * 3072, data, record.view, rgb, 0);
    const logits = serverLogits(rgb);
    expect(record.classes[0]).toBe(logits.indexOf(Math.max(...logits)));
    const raw = logits.map((z) => Math.exp(z - Math.max(...logits)));
    const sum = raw.reduce((a, b) => a + b, 0);
    for (const [j, c] of record.classes.entries()) expect(record.probabilities[j]).toBeCloseTo(raw[c]! / sum, 4);
  });

  it('goes on after a kill where it was, to the same bytes', async () => {
    const run = await teachSlowly('killed', 2);
    run.child.kill('SIGKILL');
    await run.ended;
    const kept = await shardsOf('killed');
    expect(kept.length).toBeLessThan(6);
    expect(existsSync(path.join(store('killed'), 'manifest.json'))).toBe(false);

    server.delayMs = 0;
    server.images = 0;
    const { status, stderr } = await semlink(teach('killed'));
    expect(status).toBe(0);
    expect(stderr).toContain(`${kept.length * 5 * VIEWS} of ${IMAGES * VIEWS} views are stored already`);
    expect(server.images).toBe((6 - kept.length) * 5 * VIEWS + 1);
    expect(await contentOf('killed')).toEqual(await contentOf('whole'));
  });

  it('stops on a signal and says how to go on; its metrics say how far it is until then', async () => {
    const run = await teachSlowly('stopped', 1, '--metrics-listen', '127.0.0.1:0');
    const metrics = await scrape(/metrics at (\S+)\/metrics/.exec(run.stderr)![1]!);
    expect(metrics.value('semlink_teaching_views_total')).toBeGreaterThanOrEqual(5 * VIEWS);
    expect(metrics.value('semlink_job_progress_ratio')).toBeGreaterThanOrEqual(1 / 6);
    expect(metrics.value('semlink_job_progress_ratio')).toBeLessThan(1);
    expect(metrics.value('semlink_job_phase', { phase: 'teaching' })).toBe(1);
    run.child.kill('SIGTERM');
    expect(await run.ended).toBe(130);
    expect(run.stderr).toContain('the same command goes on from here');
  });

  it('gives the same bytes however the work is shared; the last worker publishes', async () => {
    for (const part of ['1/3', '0/3']) {
      const { stderr } = await semlink(teach('shared', '--shard', part));
      expect(stderr).toContain(`part ${part} is done`);
    }
    expect((await semlink(teach('shared', '--shard', '2/3'))).stderr).toContain('published');
    expect(await contentOf('shared')).toEqual(await contentOf('whole'));
  });

  it('makes damaged shards again, and only those', async () => {
    const { status } = await semlink(teach('mended'));
    expect(status).toBe(0);
    const [file] = await shardsOf('mended');
    const bytes = await readFile(path.join(store('mended'), file!));
    bytes[bytes.length >> 1]! ^= 1;
    await new FolderStore(store('mended')).write(file!, [bytes]);
    expect((await semlink(['knowledge', 'verify', '--store', store('mended')])).status).toBe(1);
    server.images = 0;
    const { stderr } = await semlink(teach('mended'));
    expect(stderr).toContain('making it again');
    expect(server.images).toBe(5 * VIEWS + 1);
    expect((await semlink(['knowledge', 'verify', '--store', store('mended')])).status).toBe(0);
  });

  it('shows the teacher blended views where that is asked for, and says so everywhere', async () => {
    const what = ['--images', '500', '--views', `${VIEWS}`, '--blend-share', '0.8'];
    const blending = ['teach', '--teacher', remote(), ...what, '--store', store('blended')];
    expect((await semlink(blending)).status).toBe(0);
    const data = await cifar10DataSet('train');
    const set = await KnowledgeSet.open(new FolderStore(store('blended')));
    const views = new SeededViews(1, { share: 0.8, images: 500 });
    const blends = Array.from({ length: 500 * VIEWS }, (_, i) => i).filter(
      (i) => views.viewOf(Math.floor(i / VIEWS), i % VIEWS).blend,
    );
    // All but the first view of four, and of those four in five.
    expect(Math.abs(blends.length / (500 * VIEWS) - 0.6)).toBeLessThan(0.05);
    const id = blends[100]!;
    const [image, view] = [Math.floor(id / VIEWS), id % VIEWS];
    const record = set.codec.decode(await set.readRecords([id]), 0);
    const rgb = new Uint8Array(3072);
    writeImageView(data, image, views.viewOf(image, view), rgb, 0);
    const logits = serverLogits(rgb);
    expect(record.classes[0]).toBe(logits.indexOf(Math.max(...logits)));
    const { stdout } = await semlink(['knowledge', 'describe', '--store', store('blended')]);
    expect(stdout).toContain('mirror-shift-flip-blend 1, seed 1, shift 4, 0.8 of them blended');

    for (const ending of ['jsonl', 'parquet']) {
      const out = ['--out', store(`blended.${ending}`)];
      expect((await semlink(['knowledge', 'export', '--store', store('blended'), ...out])).status).toBe(0);
    }
    const line = JSON.parse((await readFile(store('blended.jsonl'), 'utf8')).split('\n')[id]!) as object;
    const { blend } = views.viewOf(image, view);
    expect(line).toMatchObject({ image, view, other_image: blend!.image, own_share: blend!.share });
    const { asyncBufferFromFile, parquetReadObjects } = await import('hyparquet');
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(store('blended.parquet')) });
    expect(rows[id]).toMatchObject({ image, view, other_image: blend!.image, own_share: blend!.share });
    expect(rows[0]).toMatchObject({ image: 0, view: 0, other_image: -1, own_share: 1 });
  }, 60_000);

  it('refuses a store that holds other knowledge', async () => {
    const { status, stderr } = await semlink(teach('whole', '--seed', '2'));
    expect(status).toBe(1);
    expect(stderr).toMatch(/augmentation mirror-shift-flip 1, seed 1, not mirror-shift-flip 1, seed 2/);
  });

  it('loads ONNX Runtime for an ONNX teacher and for no other', async () => {
    const maps = async (run: CommandRun): Promise<string> =>
      readFile(`/proc/${run.child.pid}/maps`, 'utf8').catch(() => '');
    const slow = await teachSlowly('remote', 1);
    const remoteMaps = await maps(slow);
    slow.child.kill('SIGKILL');
    expect(remoteMaps).not.toContain('onnxruntime');

    await writeColourModel(store('colours.onnx'), colourModel(1, 32));
    const args = [
      'teach',
      '--teacher',
      store('colours.onnx'),
      '--split',
      'train',
      '--views',
      '4',
      '--store',
      store('onnx'),
    ];
    const run = startSemlink(args);
    running.push(run);
    await untilShards('onnx', 1);
    const onnxMaps = await maps(run);
    run.child.kill('SIGKILL');
    if (remoteMaps !== '') expect(onnxMaps).toContain('onnxruntime');
  });
});

describe('semlink knowledge', () => {
  it('describes a set', async () => {
    const { stdout } = await semlink(['knowledge', 'describe', '--store', store('whole')]);
    expect(stdout).toContain('cifar10/holdout, 5000 images 32 x 32, 10 classes');
    expect(stdout).toContain('30 images x 4 views = 120');
    expect(stdout).toContain('14 bytes: view, top 4 of 10');
  });

  it('exports JSON lines and Parquet that others can read', async () => {
    const out = (ending: string): string => store(`export.${ending}`);
    for (const ending of ['jsonl', 'parquet']) {
      const { status } = await semlink([
        'knowledge',
        'export',
        '--store',
        store('whole'),
        '--out',
        out(ending),
        '--first-image',
        '10',
      ]);
      expect(status).toBe(0);
    }
    const lines = (await readFile(out('jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.length).toBe(20 * VIEWS);
    expect(lines[5]).toMatchObject({ image: 11, view: 1 });
    const { asyncBufferFromFile, parquetReadObjects } = await import('hyparquet');
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(out('parquet')) });
    expect(rows.length).toBe(lines.length);
    for (const [i, row] of rows.entries()) {
      const { classes, probabilities, rest_per_class, image, view, flip } = lines[i]!;
      expect(row).toMatchObject({ image, view, flip, rest_per_class });
      expect([0, 1, 2, 3].map((j) => row[`class_${j}`])).toEqual(classes);
      expect([0, 1, 2, 3].map((j) => row[`probability_${j}`])).toEqual(probabilities);
    }
  });

  it('says what is wrong with what is not there', async () => {
    const { status, stderr } = await semlink(['knowledge', 'describe', '--store', store('nowhere')]);
    expect([status, stderr]).toEqual([1, expect.stringMatching(/no knowledge has been published in .*nowhere/)]);
    expect((await semlink(['knowledge', 'verify', '--store', store('nowhere')])).stderr).toContain('absent:');
    expect((await semlink(['knowledge'])).status).toBe(2);
  });
});

describe('semlink bench knowledge', () => {
  it('reports what it promises', async () => {
    const file = store('bench.json');
    const { status } = await semlink(['bench', 'knowledge', '--images', '1000', '--runs', '1', '--json', file]);
    expect(status).toBe(0);
    const results = JSON.parse(await readFile(file, 'utf8')) as Record<string, number>;
    expect(results.local_records_per_second).toBeGreaterThan(0);
    expect(results.grpc_records_per_second).toBeGreaterThan(0);
    // Headers, checksums and the manifest weigh more in so small a set.
    expect(results.bytes_per_view).toBeGreaterThan(14);
    expect(results.bytes_per_view).toBeLessThan(16);
  });
});
