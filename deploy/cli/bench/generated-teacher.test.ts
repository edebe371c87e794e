import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabelledImages } from '../../../services/distiller/batches.js';
import { openTeacher } from '../../../services/teacher/ensemble.js';
import { readTeacherSpec } from '../../../services/teacher/spec.js';
import type { Teacher } from '../../../services/teacher/teacher.js';
import { writeView } from '../../../shared/data/augment.js';
import { generatedTeacher } from './generated-teacher.js';
import { TeacherInLoop } from './teacher-in-loop.js';

let folder: string;
let teacher: Teacher;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-generated-'));
  const file = path.join(folder, 'teacher.onnx');
  await writeFile(file, generatedTeacher(0.005, 10, 3).onnx);
  teacher = await openTeacher(await readTeacherSpec(file), { width: 32, height: 32 });
});
afterAll(async () => {
  await teacher.close();
  await rm(folder, { recursive: true });
});

const images: LabelledImages = {
  rgb: Uint8Array.from({ length: 5 * 3072 }, (_, i) => (i * 37 + (i >> 5) * 11) % 256),
  labels: Uint8Array.of(4, 7, 1, 0, 9),
  count: 5,
  width: 32,
  height: 32,
};

describe('generatedTeacher', () => {
  it('is the usual ResNet-18 at 1.1 GFLOP', { timeout: 120_000 }, () => {
    const { channels, gflop, onnx } = generatedTeacher(1.1, 10, 1);
    expect(channels).toBe(64);
    // He et al., 0.56 G multiply-adds: 3x3 convolutions, shortcuts of 1x1 and the last layer, counted by hand.
    const block = (from: number, to: number, edge: number) => edge ** 2 * 9 * (from * to + 3 * to * to);
    const past = (from: number, to: number, edge: number) => edge ** 2 * from * to;
    const products =
      32 ** 2 * 27 * 64 +
      block(64, 64, 32) +
      block(64, 128, 16) +
      past(64, 128, 16) +
      block(128, 256, 8) +
      past(128, 256, 8) +
      block(256, 512, 4) +
      past(256, 512, 4) +
      512 * 10;
    expect(gflop * 1e9).toBeCloseTo(2 * products, 0);
    expect(onnx.length).toBeGreaterThan(4 * 11e6);
  });

  it('is a function of its seed, and near what it is to cost', () => {
    const one = generatedTeacher(0.01, 100, 1);
    expect(Buffer.compare(one.onnx, generatedTeacher(0.01, 100, 1).onnx)).toBe(0);
    expect(Buffer.compare(one.onnx, generatedTeacher(0.01, 100, 2).onnx)).not.toBe(0);
    expect(Math.abs(one.gflop - 0.01)).toBeLessThan(0.002);
  });

  it('runs, and tells images apart', async () => {
    const { probabilities } = await teacher.predict(images.rgb.subarray(0, 2 * 3072), 2);
    expect(probabilities).toHaveLength(20);
    expect([...probabilities.subarray(0, 10)]).not.toEqual([...probabilities.subarray(10)]);
  });
});

describe('TeacherInLoop', () => {
  it('asks about the very views that it hands to the trainer, batch after batch', async () => {
    const loop = new TeacherInLoop(images, teacher, { batchSize: 3, mostOfACall: 2, seed: 1 });
    const seen: number[] = [];
    const views = new Set<string>();
    for (let batch = 0; batch < 4; batch++) {
      await loop.next();
      for (let i = 0; i < 3; i++) {
        const view = loop.viewOf(i);
        views.add(JSON.stringify(view));
        const rgb = new Uint8Array(3072);
        writeView(loop.images.rgb, i * 3072, images, view, rgb, 0);
        const { probabilities } = await teacher.predict(rgb, 1);
        const answer = new Float32Array(11);
        loop.restore(i, 0, 1, answer, 1);
        for (let c = 0; c < 10; c++) expect(answer[1 + c]).toBeCloseTo(probabilities[c]!, 5);
        loop.restore(i, 0, 2, answer, 1);
        const softer = [...probabilities].map(Math.sqrt);
        const sum = softer.reduce((a, b) => a + b, 0);
        for (let c = 0; c < 10; c++) expect(answer[1 + c]).toBeCloseTo(softer[c]! / sum, 5);
        seen.push(images.labels.indexOf(loop.images.labels[i]!));
      }
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]);
    expect(views.size).toBeGreaterThan(6);
  });
});
