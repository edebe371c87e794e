process.env.TF_NUM_INTRAOP_THREADS = '1';

import { expect, test } from 'vitest';
import { boundBits } from '../../shared/codec/information-bound.js';
import { seededNormal } from '../../shared/codec/small-model.fixture.js';
import { evaluated } from '../../shared/tensor/evaluated-graph.fixture.js';
import { informationBoundBits } from './information-bound.js';

const run = (symbols: number[][][], snr: number[], groupSize: number) =>
  evaluated(
    [{ shape: [symbols.length, symbols[0]!.length, 2], data: Float32Array.from(symbols.flat(2)) }],
    (ops, [sent]) => {
      const frameSnr = ops.graph.constant([snr.length, 1], Float32Array.from(snr));
      return [informationBoundBits(ops, sent!, frameSnr, groupSize)];
    },
  );
const bits = (...args: Parameters<typeof run>) => run(...args).values[0]![0]!;

test('is k times the capacity when every symbol has unit mean power', () => {
  const image = [
    [Math.SQRT1_2, Math.SQRT1_2],
    [0, -1],
    [0, 0],
  ];
  expect(bits([image, image], [3, 3], 2)).toBeCloseTo(2 * Math.log2(1 + 3), 5);
});

test('is the exact mutual information of independent Gaussian symbols', () => {
  // I(S; S + N) = sum log2(1 + p_i / N0) for S ~ CN(0, diag p): the closed form for Gaussians (Cover and Thomas, 9.1).
  const images = 4096;
  const powers = [1.5, 0.5, 1];
  const normal = seededNormal(5);
  const symbols = Array.from({ length: images }, () =>
    powers.map((p) => [normal() * Math.sqrt(p / 2), normal() * Math.sqrt(p / 2)]),
  );
  const bound = bits(symbols, new Array<number>(images).fill(10), images);
  const exact = powers.reduce((sum, p) => sum + Math.log2(1 + 10 * p), 0);
  expect(Math.abs(bound - exact)).toBeLessThan(0.05);
});

test('does not reward power that moves from symbol to symbol with the image', () => {
  const moving = [
    [
      [Math.SQRT2, 0],
      [0, 0],
    ],
    [
      [0, 0],
      [Math.SQRT2, 0],
    ],
  ];
  const even = [
    [
      [1, 0],
      [1, 0],
    ],
    [
      [1, 0],
      [1, 0],
    ],
  ];
  expect(bits(moving, [10, 10], 2)).toBeCloseTo(bits(even, [10, 10], 2), 5);
  const saved = moving.map(() => moving[0]!);
  expect(bits(saved, [10, 10], 2)).toBeLessThan(bits(even, [10, 10], 2) - 2);
});

test('keeps groups and their channels apart, and its gradient is that of finite differences', () => {
  const symbols = [[[0.3, -0.4]], [[1, 0.2]], [[0.7, 0.7]], [[-0.1, 0.5]]];
  const snr = [1, 2, 5, 9];
  const power = symbols.map(([s]) => s![0]! ** 2 + s![1]! ** 2);
  const of = (a: number, b: number) => (power[a]! + power[b]!) / 2;
  const expected =
    (Math.log2(1 + of(0, 1) * 1) +
      Math.log2(1 + of(0, 1) * 2) +
      Math.log2(1 + of(2, 3) * 5) +
      Math.log2(1 + of(2, 3) * 9)) /
    4;
  expect(bits(symbols, snr, 2)).toBeCloseTo(expected, 5);

  const gradient = run(symbols, snr, 2).gradients[0]!;
  const step = 1e-2;
  const moved = (by: number) => symbols.map((s, i) => (i === 1 ? [[s[0]![0]! + by, s[0]![1]!]] : s));
  const difference = (bits(moved(step), snr, 2) - bits(moved(-step), snr, 2)) / (2 * step);
  expect(gradient[2]).toBeCloseTo(difference, 3);
});

test('is, for each group, the formula that evaluation reports', () => {
  const symbols = Array.from({ length: 6 }, (_, i) => [
    [Math.sin(i), Math.cos(3 * i)],
    [0.5 * Math.cos(i), 0.1 * i],
  ]);
  const snr = [0.5, 0.5, 3, 3, 40, 40];
  const power = (group: number, i: number) =>
    (symbols.slice(2 * group, 2 * group + 2) as [number, number][][]).reduce(
      (sum, image) => sum + (image[i]![0] ** 2 + image[i]![1] ** 2) / 2,
      0,
    );
  const groups = [0, 1, 2].map((group) => boundBits([power(group, 0), power(group, 1)], () => snr[2 * group]!));
  expect(bits(symbols, snr, 2)).toBeCloseTo(groups.reduce((a, b) => a + b, 0) / 3, 5);
});

test('refuses images that make no whole groups', () => {
  expect(() => bits([[[1, 0]]], [1], 2)).toThrow('1 images do not make groups of 2');
});
