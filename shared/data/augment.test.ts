import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  augmentation,
  MAX_SHIFT,
  PLAIN_VIEW,
  SeededViews,
  viewFromDraws,
  writeImageView,
  writeView,
} from './augment.js';

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

describe('writeImageView', () => {
  it('lets another view of another image shine through, in whole numbers', () => {
    const [width, height, size] = [6, 5, 90];
    const rgb = Uint8Array.from({ length: 3 * size }, (_, i) => (i * 37) % 256);
    const images = { rgb, width, height };
    const otherView = { rowShift: 2, columnShift: -1, flip: true };
    const view = { rowShift: 0, columnShift: 1, flip: false, blend: { image: 2, view: otherView, share: 0.75 } };
    const [own, other] = [new Uint8Array(size), new Uint8Array(size)];
    writeView(rgb, size, images, view, own, 0);
    writeView(rgb, 2 * size, images, otherView, other, 0);
    for (const out of [new Uint8Array(size + 4), new Float32Array(size + 4)]) {
      writeImageView(images, 1, view, out, 4);
      expect([...out.subarray(4)]).toEqual([...own].map((v, i) => Math.round(0.75 * v + 0.25 * other[i]!)));
      expect([...out.subarray(0, 4)]).toEqual([0, 0, 0, 0]);
    }
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

  it('blends the share of the views that it is told, with every image and every share from a half on', () => {
    const [images, share] = [50, 0.3];
    const [plain, blending] = [new SeededViews(5), new SeededViews(5, { share, images })];
    const n = 20_000;
    const others = new Array<number>(images).fill(0);
    let kept = 0;
    for (let i = 0; i < n; i++) {
      const [image, number] = [i % images, 1 + Math.floor(i / images)];
      const { blend, ...own } = blending.viewOf(image, number);
      expect(own).toEqual(plain.viewOf(image, number));
      if (!blend) continue;
      others[blend.image]!++;
      kept += blend.share;
      expect(blend.share >= 0.5 && blend.share < 1).toBe(true);
    }
    const blends = others.reduce((sum, count) => sum + count, 0);
    expect(Math.abs(blends - n * share)).toBeLessThan(6 * Math.sqrt(n * share * (1 - share)));
    for (const count of others) expect(Math.abs(count - blends / images)).toBeLessThan(6 * Math.sqrt(blends / images));
    // The mean of a uniform share of 1/2 to 1, whose standard deviation is 1 / sqrt(48).
    expect(Math.abs(kept / blends - 0.75)).toBeLessThan(6 / Math.sqrt(48 * blends));
    expect(blending.viewOf(7, 0)).toEqual(PLAIN_VIEW);
    // A change here makes stored knowledge with blends unreadable.
    expect(new SeededViews(1, { share: 1, images: 45_000 }).viewOf(44_999, 1)).toMatchInlineSnapshot(`
      {
        "blend": {
          "image": 22175,
          "share": 0.5868592953775078,
          "view": {
            "columnShift": 4,
            "flip": true,
            "rowShift": 2,
          },
        },
        "columnShift": 2,
        "flip": false,
        "rowShift": -2,
      }
    `);
    expect(augmentation(1, 0.5).sha256).toMatchInlineSnapshot(
      `"d9a2ef87364388c3280286ac315b43275fd0784175fc9d38ee7aeec2919e6045"`,
    );
  });

  it('draws by the same rule as training on labels', () => {
    expect(viewFromDraws(0, 0.9999, 0.49)).toEqual({ rowShift: -4, columnShift: 4, flip: true });
    expect(viewFromDraws(4.5 / 9, 4.4 / 9, 0.5)).toEqual({ rowShift: 0, columnShift: 0, flip: false });
  });
});
