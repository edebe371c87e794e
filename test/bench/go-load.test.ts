import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { imagesOf } from '../../deploy/cli/bench/link-bench.js';
import { shapeOf } from '../../deploy/cli/bench/link-command.js';
import { startEmbedded } from '../../deploy/local/embedded.js';
import { buildGoLoad, hasGo, runGoLoad } from './go-load.js';

const go = await hasGo();
if (!go) process.stderr.write('\n==== NOT TESTED: no go on PATH (test/bench/go-load) ====\n\n');
const folder = mkdtempSync(path.join(os.tmpdir(), 'semlink-go-load-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TIME = { warmSeconds: 0.2, seconds: 0.5 };
const free = { listen: '127.0.0.1:0', 'metrics.listen': '127.0.0.1:0', logLevel: 'warn' };

describe.skipIf(!go)('the load in Go', { timeout: 300_000 }, () => {
  it('is answered whole by a link, and says why where it is not', async () => {
    const [program, link] = await Promise.all([
      buildGoLoad(folder),
      startEmbedded({ 'transmitter-encoder': free, 'channel-emulator': free, 'receiver-decoder': free }),
    ]);
    try {
      const { address } = link.services['transmitter-encoder'];
      const { channelUses, modelVersion } = await imagesOf(address);
      const k = channelUses.at(-1)!;
      for (const load of ['1x1', '4x16x3']) {
        const measured = await runGoLoad(program, { address, k, model: modelVersion }, shapeOf(load), TIME);
        expect(measured.images).toBeGreaterThan(0);
        expect(measured.total_images).toBeGreaterThan(measured.images);
        expect(measured.images_per_second).toBeCloseTo(measured.images / TIME.seconds, -2);
        expect(measured.latency_ms.p50).toBeGreaterThan(0);
        expect(measured.latency_ms.p50).toBeLessThanOrEqual(measured.latency_ms.max!);
        expect(measured.load_us).toBeGreaterThan(0);
      }
      await expect(runGoLoad(program, { address, k: 3 }, shapeOf('1x1'), TIME)).rejects.toThrow(
        /transmitter-encoder: channel uses of the policy is 3/,
      );
    } finally {
      await link.stop();
    }
  });
});
