import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../shared/codec/manifest.js';
import { randomImages, SMALL_SPEC, smallManifest } from '../../shared/codec/small-model.fixture.js';
import { imageCodec } from './image-codec.js';

const manifest: Manifest = { ...smallManifest(), files: {} };
const size = SMALL_SPEC.width * SMALL_SPEC.height * 3;

describe('imageCodec', () => {
  it('gathers images, SNRs and lengths in the order of the jobs', () => {
    const pixels = randomImages(SMALL_SPEC, 3, 1);
    const jobs = [0, 1, 2].map((i) => ({
      rgb: pixels.subarray(i * size, (i + 1) * size),
      snrDb: i - 1,
      channelUses: [8, 1, 4][i]!,
    }));
    const [rgb, snrDb, channelUses] = [new Uint8Array(3 * size), new Float32Array(3), new Float32Array(3)];
    imageCodec.gather(jobs, manifest, [rgb, snrDb, channelUses]);
    expect(rgb).toEqual(pixels);
    expect([...snrDb]).toEqual([-1, 0, 1]);
    expect([...channelUses]).toEqual([8, 1, 4]);
    expect(imageCodec.bytesOf(jobs[0]!)).toBe(size);
  });

  it('sends the first k symbols and nothing behind them', () => {
    const output = Float32Array.from({ length: 16 }, (_, i) => i);
    const job = { rgb: new Uint8Array(size), snrDb: 0, channelUses: 2 };
    expect([...imageCodec.result(output, job)]).toEqual([0, 1, 2, 3]);
    expect(imageCodec.result(output, { ...job, channelUses: 8 })).toHaveLength(16);
  });
});
