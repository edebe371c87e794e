import { philox4x32 } from '../random/philox.js';
import { type ImageRange, type ImageSource, indicesOf, type ReadableImage } from './source.js';

/** A source whose images can all be read. */
export interface GeneratedImages extends ImageSource {
  images(range?: ImageRange): AsyncIterable<ReadableImage>;
}

/**
 * Images of seeded noise without labels: for trying a link where no data set is at hand. Image i depends on the seed and i
 * alone.
 *
 * @param size pixels of the images, and how many there are
 */
export function generatedImages(size: { width: number; height: number; count: number }, seed = 1): GeneratedImages {
  const { width, height, count } = size;
  const bytes = width * height * 3;
  const words = new Uint32Array(4);
  return {
    name: 'generated',
    width,
    height,
    count,
    async *images(range) {
      for (const index of indicesOf(count, range)) {
        const rgb = new Uint8Array(Math.ceil(bytes / 16) * 16);
        const view = new DataView(rgb.buffer);
        for (let block = 0; block * 16 < bytes; block++) {
          philox4x32(words, block, index, 0, 0, seed, 0x5e1f);
          for (let i = 0; i < 4; i++) view.setUint32(block * 16 + 4 * i, words[i]!, true);
        }
        yield { index, name: `generated/${index}`, rgb: rgb.subarray(0, bytes) };
      }
    },
  };
}
