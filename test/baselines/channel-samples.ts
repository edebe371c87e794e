/**
 * Writes what the project's channels do, for other programs to judge: for each link, ones are sent and the received
 * symbols and the gains told are written, all as cf32 (little-endian binary32 re, im).
 *
 * usage: node dist/test/baselines/channel-samples.js SETTINGS LINKS SYMBOLS OUT.cf32
 *   SETTINGS  a `ChannelSettings` as JSON
 *   LINKS     links link-0, link-1, ... of seed 1
 *   SYMBOLS   of each link, in frames of 64
 *   OUT       LINKS x (SYMBOLS received, then SYMBOLS gains)
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { type ChannelSettings, createChannelModel } from '../../shared/channel/channel-config.js';
import { LinkRandom } from '../../shared/channel/link-random.js';

const [settings, links, symbols, file] = process.argv.slice(2);
if (!settings || !links || !symbols || !file) throw new Error('usage: channel-samples SETTINGS LINKS SYMBOLS OUT.cf32');
const model = createChannelModel(JSON.parse(settings) as ChannelSettings);
const count = Number(symbols);
const frame = 64;
const out = openSync(file, 'w');
for (let l = 0; l < Number(links); l++) {
  const random = new LinkRandom(1n, `link-${l}`);
  const both = new Float32Array(4 * count);
  for (let at = 0; at < count; at += frame) {
    const k = Math.min(frame, count - at);
    const sent = Float32Array.from({ length: 2 * k }, (_, i) => 1 - (i % 2));
    const effect = model.apply(sent, { random, position: at }, both.subarray(2 * at, 2 * (at + k)));
    for (let i = 0; i < k; i++) {
      const block = Math.floor(i / effect.blockSymbols);
      both[2 * (count + at + i)] = effect.gains[2 * block]!;
      both[2 * (count + at + i) + 1] = effect.gains[2 * block + 1]!;
    }
  }
  writeSync(out, new Uint8Array(both.buffer));
}
closeSync(out);
