import { createHash } from 'node:crypto';
import { type ChannelSettings, createChannelModel } from './channel-config.js';
import type { KernelPath } from './kernel/kernel.js';
import { LinkRandom } from './link-random.js';

const frames = 30;
const k = 40;

/** The start of a SHA-256 of what 30 frames of ones on three links become, one link after the other or in turn. */
export function digest(settings: ChannelSettings, inTurn: boolean, path: KernelPath = 'wasm'): string {
  const model = createChannelModel(settings);
  const links = ['a', 'b', 'c'].map((id) => new LinkRandom(99n, id, path));
  const received = links.map(() => new Float32Array(2 * k * frames));
  const order = links.flatMap((_, l) => Array.from({ length: frames }, (_, f) => [l, f] as const));
  if (inTurn) order.sort((x, y) => x[1] - y[1]);
  const ones = Float32Array.from({ length: 2 * k }, (_, i) => 1 - (i % 2));
  for (const [l, f] of order) {
    const out = received[l]!.subarray(2 * k * f, 2 * k * (f + 1));
    model.apply(ones, { random: links[l]!, position: k * f }, out);
  }
  const hash = createHash('sha256');
  for (const numbers of received) hash.update(new Uint8Array(numbers.buffer));
  return hash.digest('hex').slice(0, 16);
}
