process.env.TF_NUM_INTRAOP_THREADS = '1';

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { OnnxSession } from '../tensor/onnx-session.js';
import { ModelSession } from '../tensor/session.js';
import { graphFolder, graphPorts, openModel, type Role, SHIPPED_MODELS } from './model-folder.js';
import { modelSource } from './model-source.js';
import type { NetworkSpec } from './network.js';
import { decoderGraph, encoderGraph } from './network-graph.js';
import { decoderOnnx, encoderOnnx } from './network-onnx.js';
import { randomImages, randomWeights, SMALL_SPEC, seededNormal } from './small-model.fixture.js';
import type { Weights } from './weights.js';

/** Both compute in single precision, in another order of additions. */
const TOLERANCE = 2e-5;
const folder = mkdtempSync(path.join(os.tmpdir(), 'semlink-onnx-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function tensorFlow(role: Role, spec: NetworkSpec, weights: Weights): ModelSession {
  const home = mkdtempSync(path.join(folder, `${role}-`));
  const graph = (role === 'encoder' ? encoderGraph : decoderGraph)(spec, weights);
  writeFileSync(path.join(home, 'saved_model.pb'), graph);
  return new ModelSession(home, graphPorts(spec, role));
}

function onnx(role: Role, spec: NetworkSpec, weights: Weights): Promise<OnnxSession> {
  const model = (role === 'encoder' ? encoderOnnx : decoderOnnx)(spec, weights);
  return OnnxSession.open(model, graphPorts(spec, role), 1);
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, value, i) => {
    const difference = Math.abs(value - b[i]!);
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
  }, 0);
}

/** A batch with every k, and SNRs in and beyond the conditioned range. */
function inputs(role: Role, spec: NetworkSpec, seed: number): [count: number, arrays: (Float32Array | Uint8Array)[]] {
  const snrs = [-40, -3.5, 7, 60];
  const cases = Array.from({ length: spec.maxChannelUses }, (_, i) => i + 1).flatMap((k) =>
    snrs.map((snrDb) => ({ k, snrDb })),
  );
  const normal = seededNormal(seed);
  const width = 2 * spec.maxChannelUses;
  const symbols = new Float32Array(cases.length * width);
  cases.forEach(({ k }, i) => {
    for (let at = 0; at < 2 * k; at++) symbols[i * width + at] = normal();
  });
  const first = role === 'encoder' ? randomImages(spec, cases.length, seed) : symbols;
  const snrDb = Float32Array.from(cases, (one) => one.snrDb);
  return [cases.length, [first, snrDb, Float32Array.from(cases, (one) => one.k)]];
}

describe.each(['encoder', 'decoder'] as const)('the %s for ONNX Runtime', (role) => {
  const specs: [string, NetworkSpec][] = [
    ['odd sizes', SMALL_SPEC],
    ['even sizes', { ...SMALL_SPEC, width: 16, height: 16, stages: [4, 4, 4] }],
  ];
  it.each(specs)('gives the numbers of the frozen TensorFlow graph but for rounding: %s', async (_, spec) => {
    const weights = randomWeights(spec, 23);
    const [count, arrays] = inputs(role, spec, 5);
    const graph = tensorFlow(role, spec, weights);
    const expected = graph.run(count, arrays);
    graph.dispose();
    const session = await onnx(role, spec, weights);
    expect(largestDifference(await session.run(count, arrays), expected)).toBeLessThan(TOLERANCE);
    await session.dispose();
  });

  it('gives them for the published model too, from its published weights', async () => {
    const model = await openModel(path.join(SHIPPED_MODELS, 'm-cifar10-3'));
    const spec = model.manifest.network;
    const [count, arrays] = inputs(role, spec, 9);
    const graph = new ModelSession(graphFolder(model, role), graphPorts(spec, role));
    const expected = graph.run(count, arrays);
    graph.dispose();
    const source = (await modelSource(model, role, 'onnxruntime')) as Uint8Array;
    const session = await OnnxSession.open(source, graphPorts(spec, role), 1);
    expect(largestDifference(await session.run(count, arrays), expected)).toBeLessThan(TOLERANCE);
    await session.dispose();
    expect(await modelSource(model, role, 'tensorflow')).toBe(graphFolder(model, role));
  });

  it('gives an image the same in whatever batch it is', async () => {
    const session = await onnx(role, SMALL_SPEC, randomWeights(SMALL_SPEC, 4));
    const [count, arrays] = inputs(role, SMALL_SPEC, 6);
    const all = await session.run(count, arrays);
    const each = all.length / count;
    for (const place of [0, 7, count - 1]) {
      const own = arrays.map((array) => {
        const width = array.length / count;
        return array.slice(place * width, (place + 1) * width) as typeof array;
      });
      const alone = await session.run(1, own);
      expect(largestDifference(alone, all.subarray(place * each, (place + 1) * each))).toBeLessThan(TOLERANCE);
    }
    await session.dispose();
  });

  it('is the same bytes for the same weights, and names a weight that is missing', () => {
    const make = role === 'encoder' ? encoderOnnx : decoderOnnx;
    const weights = randomWeights(SMALL_SPEC, 11);
    expect(Buffer.compare(make(SMALL_SPEC, weights), make(SMALL_SPEC, randomWeights(SMALL_SPEC, 11)))).toBe(0);
    const without = new Map(weights);
    const name = role === 'encoder' ? 'encoder/a/1/variance' : 'decoder/2/bias';
    without.delete(name);
    expect(() => make(SMALL_SPEC, without)).toThrow(`"${name}" is missing`);
  });
});

describe('an ONNX session', () => {
  it('says what cannot be loaded', async () => {
    const ports = graphPorts(SMALL_SPEC, 'encoder');
    await expect(OnnxSession.open(Buffer.from('no model'), ports, 1)).rejects.toThrow(/cannot load the ONNX model/);
  });
});
