import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { augmentation, MAX_SHIFT, PLAIN_VIEW, SeededViews, viewFromDraws, writeView } from './augment.js';

/** Where position i of n is when a picture goes on mirrored beyond its edges, the edge itself not repeated. */
function reflected(i: number, n: number): number {
  const period = 2 * (n - 1);
  const folded = ((i % period) + period) % period;
  return folded < n ? folded : period - folded;
}

describe('writeView', () => {
  it('takes each pixel from where shift, flip and mirrored border say', () => {
    const shift = fc.integer({ min: -MAX_SHIFT, max: MAX_SHIFT });
    const view = fc.record({ rowShift: shift, columnShift: shift, flip: fc.boolean() });
    fc.assert(
      fc.property(view, fc.integer({ min: 5, max: 9 }), fc.integer({ min: 5, max: 9 }), (v, width, height) => {
        const size = width * height * 3;
        const rgb = Uint8Array.from({ length: 2 * size }, (_, i) => (i * 31) % 256);
        const out = new Uint8Array(size + 2);
        writeView(rgb, size, { width, height }, v, out, 1);
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            const column = reflected((v.flip ? width - 1 - x : x) + v.columnShift, width);
            const from = size + 3 * (reflected(y + v.rowShift, height) * width + column);
            expect([...out.subarray(1 + 3 * (y * width + x), 4 + 3 * (y * width + x))]).toEqual([
              ...rgb.subarray(from, from + 3),
            ]);
          }
        }
        expect([out[0], out.at(-1)]).toEqual([0, 0]);
      }),
      { numRuns: 60 },
    );
  });
});

describe('SeededViews', () => {
  it('begins with the image itself', () => {
    expect(new SeededViews(3).viewOf(1234, 0)).toEqual(PLAIN_VIEW);
  });

  it('is the same on every machine', () => {
    const views = new SeededViews(1);
    // A change here makes all stored knowledge unreadable: it is to have another version.
    expect([1, 2, 3].map((view) => views.viewOf(44_999, view))).toMatchInlineSnapshot(`
      [
        {
          "columnShift": 2,
          "flip": false,
          "rowShift": -2,
        },
        {
          "columnShift": -3,
          "flip": true,
          "rowShift": -4,
        },
        {
          "columnShift": 0,
          "flip": true,
          "rowShift": 2,
        },
      ]
    `);
    expect(augmentation(1).sha256).toMatchInlineSnapshot(
      `"d5e6fd4dfe52933350ea81543a1e6b0a502e158f40be35a1b8422702bd25c853"`,
    );
  });

  it('reaches every shift and both flips about equally often, and differs from seed to seed', () => {
    const counts = new Map<string, number>();
    const add = (key: string): void => void counts.set(key, (counts.get(key) ?? 0) + 1);
    const views = new SeededViews(5);
    const n = 9000;
    for (let image = 0; image < n; image++) {
      const { rowShift, columnShift, flip } = views.viewOf(image, 1 + (image % 9));
      add(`row ${rowShift}`);
      add(`column ${columnShift}`);
      add(`flip ${flip}`);
    }
    expect(counts.size).toBe(9 + 9 + 2);
    // Six standard deviations of a binomial count.
    for (const [key, count] of counts) {
      const p = key.startsWith('flip') ? 1 / 2 : 1 / 9;
      expect(Math.abs(count - n * p), key).toBeLessThan(6 * Math.sqrt(n * p * (1 - p)));
    }
    const other = new SeededViews(6);
    const same = Array.from({ length: 500 }, (_, i) => i).filter(
      (i) => JSON.stringify(views.viewOf(i, 1)) === JSON.stringify(other.viewOf(i, 1)),
    );
    expect(same.length).toBeLessThan(20);
  });

  it('draws by the same rule as training on labels', () => {
    expect(viewFromDraws(0, 0.9999, 0.49)).toEqual({ rowShift: -4, columnShift: 4, flip: true });
    expect(viewFromDraws(4.5 / 9, 4.4 / 9, 0.5)).toEqual({ rowShift: 0, columnShift: 0, flip: false });
  });
});
