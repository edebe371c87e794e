import { describe, expect, it } from 'vitest';
import { BinarySymmetricChannel } from './bit-channel.js';
import { expectMean, link } from './statistics.fixture.js';

describe('bsc', () => {
  it.each([0, 0.001, 0.11, 0.5, 1])('flips each bit with probability %f, independently', (probability) => {
    const channel = new BinarySymmetricChannel(probability);
    const payload = new Uint8Array(20_000).map((_, i) => (i * 97) & 255);
    const out = new Uint8Array(payload.length);
    const flipped = channel.apply(payload, { random: link(), bitPosition: 0 }, out);
    const flips: number[] = [];
    for (const [i, byte] of out.entries()) {
      for (let bit = 7; bit >= 0; bit--) flips.push(((byte ^ payload[i]!) >> bit) & 1);
    }
    expect(flips.reduce((sum, x) => sum + x, 0)).toBe(flipped);
    expectMean(flips, probability);
    for (const lag of [1, 8]) {
      const both = flips.slice(lag).reduce((sum, x, i) => sum + x * flips[i]!, 0) / flips.length;
      expect(Math.abs(both - probability ** 2)).toBeLessThan(
        5 * (probability / Math.sqrt(flips.length) + lag / flips.length),
      );
    }
  });

  it('does the same to a bit however bits are cut into payloads', () => {
    const channel = new BinarySymmetricChannel(0.2);
    const payload = new Uint8Array(1_000).map((_, i) => i & 255);
    const whole = new Uint8Array(1_000);
    channel.apply(payload, { random: link(), bitPosition: 0 }, whole);
    for (const size of [1, 7, 64, 65, 999]) {
      const cut = payload.slice();
      for (let at = 0; at < cut.length; at += size) {
        const part = cut.subarray(at, at + size);
        channel.apply(part, { random: link(), bitPosition: 8 * at }, part);
      }
      expect(cut).toEqual(whole);
    }
  });

  it.each([-0.1, 1.1, Number.NaN])('refuses a probability of %f', (probability) => {
    expect(() => new BinarySymmetricChannel(probability)).toThrow(
      `bit_error_probability is ${probability}; use a probability of 0 to 1`,
    );
  });
});
