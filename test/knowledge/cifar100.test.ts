/** CIFAR-100 knowledge by the real command, from a folder in the layout of the published binary version. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { colourLogits, colourModel, softmax, writeColourModel } from '../../services/teacher/onnx.fixture.js';
import { writeView } from '../../shared/data/augment.js';
import { cifar100DataSet } from '../../shared/data/labelled-images.js';
import { FolderStore } from '../../shared/knowledge/folder-store.js';
import { KnowledgeSet } from '../../shared/knowledge/knowledge-set.js';
import { setSize } from '../../shared/knowledge/set-size.js';
import { semlink } from '../integration/semlink-command.fixture.js';

const IMAGES = 1200;
const VIEWS = 10;
const model = colourModel(5, 32, 100);
let folder: string;
let data: string;
const at = (name: string): string => path.join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-cifar100-'));
  data = at('binary');
  await mkdir(data);
  const records = Buffer.alloc(IMAGES * 3074);
  for (let i = 0; i < IMAGES; i++) {
    const fine = (7 * i) % 100;
    records.writeUInt8(Math.floor(fine / 5), i * 3074);
    records.writeUInt8(fine, i * 3074 + 1);
    // A colour of its own for each image, and something to see in it.
    for (let p = 0; p < 3072; p++) {
      records[i * 3074 + 2 + p] = (((i * (11 + (p >> 10))) % 200) + ((p * 7) % 56)) & 0xff;
    }
  }
  await writeFile(path.join(data, 'train.bin'), records);
  await writeColourModel(at('teacher.onnx'), model);
  await writeColourModel(at('ten.onnx'), colourModel(5, 32, 10));
});
afterAll(() => rm(folder, { recursive: true }));

const teach = (teacher: string, ...more: string[]) =>
  semlink(['teach', '--teacher', at(teacher), '--dataset', 'cifar100', '--data', data, '--store', at('set'), ...more]);

describe('semlink teach --dataset cifar100', () => {
  it('refuses images that are not the published ones, and a teacher of other classes', {
    timeout: 120_000,
  }, async () => {
    const { status, stderr } = await teach('teacher.onnx');
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^semlink: \S+train\.bin does not hold the 50000 published images of CIFAR-100 but 1200 images/m,
    );
    expect((await teach('ten.onnx', '--no-verify')).stderr).toContain('ten knows 10 classes, cifar100/train has 100');
    const misplaced = await semlink(['teach', '--teacher', at('ten.onnx'), '--data', data]);
    expect(misplaced.status).toBe(2);
    expect(misplaced.stderr).toContain('--data and --no-verify are for --dataset cifar100');
  });

  it('stores at most 24 bytes a view, where whole distributions take 400', { timeout: 240_000 }, async () => {
    const { status, stderr } = await teach('teacher.onnx', '--no-verify', '--images', '1000', '--views', `${VIEWS}`);
    expect([status, stderr]).toEqual([0, expect.stringContaining('23 bytes a view')]);
    const store = new FolderStore(at('set'));
    const images = await cifar100DataSet('train', { folder: data, verify: false });
    expect(images.count).toBe(1080);
    const set = await KnowledgeSet.open(store, { expected: { dataSetSha256: images.sha256 } });
    const size = await setSize(store, set);
    expect(size.denseBytesPerView).toBe(400);
    expect(size.bytesPerView).toBeGreaterThan(23);
    expect(size.bytesPerView).toBeLessThan(24);

    const [image, view] = [321, 4];
    const record = set.codec.decode(await set.readRecords([image * VIEWS + view]), 0);
    const rgb = new Uint8Array(3072);
    writeView(images.rgb, image * 3072, images, record.view, rgb, 0);
    const due = softmax(colourLogits(model, rgb).logits);
    const best = due.map((_, c) => c).sort((a, b) => due[b]! - due[a]!);
    expect(record.classes).toEqual(best.slice(0, 7));
    for (const [j, c] of record.classes.entries()) expect(record.probabilities[j]).toBeCloseTo(due[c]!, 3);

    const described = await semlink(['knowledge', 'describe', '--store', at('set')]);
    expect(described.stdout).toContain('cifar100/train, 1080 images 32 x 32, 100 classes');
    expect(described.stdout).toContain('whole distributions as float32 would take 400');
  });
});
