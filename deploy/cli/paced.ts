import { setTimeout as pause } from 'node:timers/promises';
import type { ImageSource } from '../../shared/data/source.js';

/**
 * The same images, no more of them a second than given: image i not before i / `perSecond` seconds after the first. One that
 * was asked for late is not made up for.
 *
 * @param perSecond above 0
 */
export function paced(source: ImageSource, perSecond: number): ImageSource {
  const gapMs = 1_000 / perSecond;
  return {
    ...source,
    async *images(range) {
      let due = performance.now();
      for await (const image of source.images(range)) {
        const early = due - performance.now();
        // A timer may come a millisecond too soon or late; what it is out is the next one's to wait.
        if (early > 0) await pause(early);
        else due = performance.now();
        due += gapMs;
        yield image;
      }
    },
  };
}
