import type { Kernel } from './kernel.js';
import { fillNormals, multiplyOne, multiplySome } from './reference.js';

let place = new Float32Array(0);

/** The kernel in plain TypeScript. */
export const jsKernel: Kernel = {
  path: 'js',
  normals(out, key, purpose, index, scale) {
    fillNormals(out, key, purpose, index, scale, false);
  },
  addNormals(symbols, out, key, purpose, index, scale) {
    if (out !== symbols) out.set(symbols);
    fillNormals(out, key, purpose, index, scale, true);
  },
  fadeBlocks(symbols, out, { gains, first, block }, key, purpose, index, scale) {
    const count = symbols.length / 2;
    let at = 0;
    for (let b = 0; at < count; b++) {
      const end = Math.min(count, b === 0 ? first : at + block);
      multiplyOne(symbols, out, at, end, gains[2 * b]!, gains[2 * b + 1]!);
      at = end;
    }
    fillNormals(out, key, purpose, index, scale, true);
  },
  multiply(symbols, out, gains) {
    multiplySome(symbols, out, gains);
  },
  room(count) {
    if (place.length < 2 * count) place = new Float32Array(2 * count);
    return place.subarray(0, 2 * count);
  },
};
