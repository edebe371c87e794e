import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Batch } from './batches.js';
import { mixBatch } from './mixing.js';

const size = { width: 8, height: 6 };
const pixels = size.width * size.height * 3;
const classes = 5;

/** Images of one colour, 10 times their number; image i shows class i, and the teacher says so with 0.6. */
function plainBatch(count: number): Required<Batch> {
  const rows = (length: number, value: (i: number, at: number) => number) =>
    Float32Array.from({ length: count * length }, (_, at) => value(Math.floor(at / length), at % length));
  return {
    rgb: rows(pixels, (i) => 10 * i),
    labels: rows(classes, (i, c) => (c === i ? 1 : 0)),
    teacher: rows(classes, (i, c) => (c === i ? 0.6 : 0.1)),
  };
}

const row = (values: Float32Array, i: number, length: number) => [...values.subarray(i * length, (i + 1) * length)];
const CHOSEN = 0;
const LEFT_ALONE = 0.99;

describe('mixBatch', () => {
  it('blends each image, its label and the teacher with the next as it was, the last with the first', () => {
    const batch = plainBatch(3);
    const draws = [0.25, 0.5, 0.75].flatMap((share) => [CHOSEN, share, 0, 0]);
    mixBatch(batch, size, Float32Array.from(draws), { cutMix: 0, mixup: 0.9 });
    expect([0, 1, 2].map((i) => batch.rgb[i * pixels])).toEqual([7.5, 15, 15]);
    expect(row(batch.labels, 0, classes)).toEqual([0.25, 0.75, 0, 0, 0]);
    expect(row(batch.labels, 1, classes)).toEqual([0, 0.5, 0.5, 0, 0]);
    expect(row(batch.labels, 2, classes)).toEqual([0.25, 0, 0.75, 0, 0]);
    [0.25 * 0.6 + 0.75 * 0.1, 0.1, 0.25 * 0.1 + 0.75 * 0.6].forEach((p, c) => {
      expect(batch.teacher[2 * classes + c]).toBeCloseTo(c === 0 ? 0.25 * 0.6 + 0.75 * 0.1 : p, 6);
    });
  });

  it('pastes a square of the next image where the draws say, and counts the pixels', () => {
    const batch = plainBatch(2);
    // A quarter of the area in the middle: half of each side, rows 1.5 to 4.5 and columns 2 to 6.
    const draws = [CHOSEN, 0.75, 0.5, 0.5, LEFT_ALONE, 0.5, 0.5, 0.5];
    mixBatch(batch, size, Float32Array.from(draws), { cutMix: 0.9, mixup: 0 });
    const picture = Array.from({ length: size.height }, (_, y) =>
      Array.from({ length: size.width }, (_, x) => batch.rgb[3 * (y * size.width + x)]! / 10).join(''),
    );
    expect(picture).toEqual(['00000000', '00000000', '00111100', '00111100', '00111100', '00000000']);
    expect(batch.labels[0]).toBeCloseTo(36 / 48, 6);
    expect(row(batch.rgb, 1, pixels)).toEqual(new Array(pixels).fill(10));
    expect(row(batch.labels, 1, classes)).toEqual([0, 1, 0, 0, 0]);
  });

  it('gives each label the share of the pixels that show it, and never makes or loses any', () => {
    const variate = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const draws = fc.array(fc.tuple(variate, variate, variate, variate), { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(draws, variate, (all, cutMix) => {
        const batch = plainBatch(all.length);
        mixBatch(batch, size, Float32Array.from(all.flat()), { cutMix, mixup: 1 - cutMix });
        all.forEach((_, i) => {
          const next = (i + 1) % all.length;
          const mean = row(batch.rgb, i, pixels).reduce((sum, v) => sum + v / pixels, 0);
          expect(mean).toBeCloseTo(
            10 * (i * batch.labels[i * classes + i]! + next * batch.labels[i * classes + next]!),
            3,
          );
          for (const answers of [batch.labels, batch.teacher]) {
            expect(row(answers, i, classes).reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
          }
        });
      }),
    );
  });

  it('mixes the shares of the images that are asked for', () => {
    const batch = plainBatch(5);
    const before = { rgb: batch.rgb.slice(), labels: batch.labels.slice() };
    const draws = Float32Array.from([0.1, 0.3, 0.5, 0.7, 0.9].flatMap((what) => [what, 0.5, 0.5, 0.5]));
    mixBatch(batch, size, draws, { cutMix: 0.2, mixup: 0.4 });
    const kinds = [0, 1, 2, 3, 4].map((i) => {
      const colours = new Set(row(batch.rgb, i, pixels)).size;
      if (row(batch.labels, i, classes).every((p, c) => p === before.labels[i * classes + c])) return 'as it was';
      return colours > 1 ? 'pasted' : 'blended';
    });
    expect(kinds).toEqual(['pasted', 'blended', 'blended', 'as it was', 'as it was']);
  });
});
