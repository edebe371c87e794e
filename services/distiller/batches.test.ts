import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededUniform } from '../../shared/codec/small-model.fixture.js';
import { writeImageView, writeView } from '../../shared/data/augment.js';
import { augmentedBatch, epochOrder, knownBatch, type LabelledImages, type TrainingKnowledge } from './batches.js';

/** Images whose pixels say where they are: red is the row, green the column, blue the image. */
function coordinates(count: number, width: number, height: number): LabelledImages {
  const rgb = new Uint8Array(count * width * height * 3);
  for (let i = 0, at = 0; i < count; i++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        rgb[at++] = y;
        rgb[at++] = x;
        rgb[at++] = i;
      }
    }
  }
  return { rgb, labels: Uint8Array.from({ length: count }, (_, i) => (7 * i) % 10), count, width, height };
}

/** Where position i of n is when a picture goes on mirrored beyond its edges, the edge itself not repeated. */
function reflected(i: number, n: number): number {
  const period = 2 * (n - 1);
  const folded = ((i % period) + period) % period;
  return folded < n ? folded : period - folded;
}

/** The variate that gives a shift of -4 to 4. */
const shiftBy = (pixels: number) => (pixels + 4.5) / 9;
const KEEP = 0.9;
const FLIP = 0.1;
const CLASSES = 10;

/** The class that each row is wholly of. */
function classesOf(labels: Float32Array, classes: number): number[] {
  return Array.from({ length: labels.length / classes }, (_, i) => {
    const row = [...labels.subarray(i * classes, (i + 1) * classes)];
    expect(row.toSorted()).toEqual([...new Array<number>(classes - 1).fill(0), 1]);
    return row.indexOf(1);
  });
}

describe('augmentedBatch', () => {
  it('without shift and flip is the images themselves', () => {
    const images = coordinates(5, 8, 6);
    const indices = Uint32Array.of(3, 0, 4);
    const draws = Float32Array.from([0, 1, 2].flatMap(() => [shiftBy(0), shiftBy(0), KEEP]));
    const { rgb, labels } = augmentedBatch(images, CLASSES, indices, draws);
    const size = 8 * 6 * 3;
    expect(classesOf(labels, CLASSES)).toEqual([1, 0, 8]);
    indices.forEach((index, i) => {
      expect([...rgb.subarray(i * size, (i + 1) * size)]).toEqual([
        ...images.rgb.subarray(index * size, (index + 1) * size),
      ]);
    });
  });

  it('flips left and right, and shifts by whole pixels with a mirrored border, in an example done by hand', () => {
    const images = coordinates(1, 6, 5);
    const red = (draws: number[]) => {
      const { rgb } = augmentedBatch(images, CLASSES, Uint32Array.of(0), Float32Array.from(draws));
      return Array.from({ length: 5 }, (_, y) => rgb[3 * 6 * y]);
    };
    const green = (draws: number[]) => {
      const { rgb } = augmentedBatch(images, CLASSES, Uint32Array.of(0), Float32Array.from(draws));
      return Array.from({ length: 6 }, (_, x) => rgb[3 * x + 1]);
    };
    expect(green([shiftBy(0), shiftBy(0), FLIP])).toEqual([5, 4, 3, 2, 1, 0]);
    expect(green([shiftBy(0), shiftBy(2), KEEP])).toEqual([2, 3, 4, 5, 4, 3]);
    expect(green([shiftBy(0), shiftBy(-4), KEEP])).toEqual([4, 3, 2, 1, 0, 1]);
    expect(red([shiftBy(3), shiftBy(0), KEEP])).toEqual([3, 4, 3, 2, 1]);
    expect(red([shiftBy(-1), shiftBy(0), FLIP])).toEqual([1, 0, 1, 2, 3]);
  });

  it('takes every pixel from its own image, from one row for all of a row and one column for all of a column', () => {
    const variate = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }).map(Math.fround);
    const below1 = variate.filter((u) => u < 1);
    fc.assert(
      fc.property(
        fc.integer({ min: 5, max: 12 }),
        fc.integer({ min: 5, max: 12 }),
        fc.array(fc.tuple(fc.nat({ max: 3 }), below1, below1, below1), { minLength: 1, maxLength: 5 }),
        (width, height, wanted) => {
          const images = coordinates(4, width, height);
          const { rgb, labels } = augmentedBatch(
            images,
            CLASSES,
            Uint32Array.from(wanted, ([index]) => index),
            Float32Array.from(wanted.flatMap(([, ...draws]) => draws)),
          );
          let at = 0;
          for (const [i, [index, rowDraw, columnDraw, flipDraw]] of wanted.entries()) {
            expect(classesOf(labels, CLASSES)[i]).toBe(images.labels[index]);
            const down = Math.floor(9 * rowDraw) - 4;
            const right = Math.floor(9 * columnDraw) - 4;
            for (let y = 0; y < height; y++) {
              for (let x = 0; x < width; x++, at += 3) {
                const seen = flipDraw < 0.5 ? width - 1 - x : x;
                expect(rgb[at]).toBe(reflected(y + down, height));
                expect(rgb[at + 1]).toBe(reflected(seen + right, width));
                expect(rgb[at + 2]).toBe(index);
              }
            }
          }
        },
      ),
    );
  });

  it('draws every shift and both flips equally often', () => {
    const images = coordinates(1, 12, 12);
    const count = 9000;
    const uniform = seededUniform(2);
    const draws = Float32Array.from({ length: 3 * count }, uniform);
    const { rgb } = augmentedBatch(images, CLASSES, new Uint32Array(count), draws);
    const rows = new Array<number>(12).fill(0);
    let flips = 0;
    const size = 12 * 12 * 3;
    for (let i = 0; i < count; i++) {
      // The pixel in the middle shows the shift, its right neighbour the flip.
      const middle = i * size + 3 * (6 * 12 + 6);
      rows[rgb[middle]!]!++;
      if (rgb[middle + 4]! < rgb[middle + 1]!) flips++;
    }
    // Rows 2 to 10 of 12: shifts of -4 to 4.
    expect(rows.map((n) => n > 0)).toEqual([false, false, ...new Array<boolean>(9).fill(true), false]);
    for (const n of rows.slice(2, 11)) expect(Math.abs(n - count / 9)).toBeLessThan(5 * Math.sqrt(count / 9));
    expect(Math.abs(flips - count / 2)).toBeLessThan(5 * Math.sqrt(count / 4));
  });
});

describe('epochOrder', () => {
  it('visits every image once, in the order of the keys, the first of equals first', () => {
    const keys = fc.array(fc.constantFrom(0, 0.25, 0.5, 0.75, 0.999), { maxLength: 50 });
    fc.assert(
      fc.property(keys, (all) => {
        const order = [...epochOrder(Float32Array.from(all))];
        expect(order.toSorted((a, b) => a - b)).toEqual(all.map((_, i) => i));
        for (let i = 1; i < order.length; i++) {
          const [before, after] = [order[i - 1]!, order[i]!];
          expect(all[before]! < all[after]! || (all[before] === all[after] && before < after)).toBe(true);
        }
      }),
    );
  });
});

describe('knownBatch', () => {
  const width = 5;
  const height = 4;
  const size = width * height * 3;
  const images = {
    rgb: Uint8Array.from({ length: 3 * size }, (_, i) => i % 251),
    labels: Uint8Array.of(4, 0, 1),
    count: 3,
    width,
    height,
  };
  const knowledge: TrainingKnowledge = {
    views: 2,
    classes: 5,
    viewOf: (image, view) => ({ rowShift: image - 1, columnShift: view, flip: view === 1 }),
    restore: (image, view, temperature, out, to) => out.set([image + view / 2, temperature, 0, 0, 0], to),
  };

  it('shows the student the very view that the teacher saw, with what it said about it', () => {
    const batch = knownBatch(images, knowledge, Uint32Array.of(2, 0), Float32Array.of(0.49, 0.5), 3);
    expect(classesOf(batch.labels, 5)).toEqual([1, 4]);
    expect([...batch.teacher!]).toEqual([2, 3, 0, 0, 0, 0.5, 3, 0, 0, 0]);
    const expected = new Float32Array(2 * size);
    writeView(images.rgb, 2 * size, images, knowledge.viewOf(2, 0), expected, 0);
    writeView(images.rgb, 0, images, knowledge.viewOf(0, 1), expected, size);
    expect(batch.rgb).toEqual(expected);
  });

  it('asks for both images of a blend, each by its share, and for one alone where it is blended with itself', () => {
    const through = (image: number) => ({ image, view: { rowShift: 0, columnShift: 0, flip: true }, share: 0.75 });
    const blended = { ...knowledge, viewOf: (image: number) => ({ ...knowledge.viewOf(image, 0), blend: through(1) }) };
    const batch = knownBatch(images, blended, Uint32Array.of(2, 1), Float32Array.of(0, 0), 3);
    expect([...batch.labels]).toEqual([0.25, 0.75, 0, 0, 0, 1, 0, 0, 0, 0]);
    const expected = new Float32Array(2 * size);
    writeImageView(images, 2, blended.viewOf(2), expected, 0);
    writeImageView(images, 1, blended.viewOf(1), expected, size);
    expect(batch.rgb).toEqual(expected);
  });
});
