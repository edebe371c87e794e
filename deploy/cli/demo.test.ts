import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultModel, until } from '../../test/integration/link.fixture.js';
import {
  childrenOf,
  isRunning,
  knowsChildren,
  semlink,
  startSemlink,
} from '../../test/integration/semlink-command.fixture.js';
import type { Summary } from './tally.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-demo-'));
});
afterAll(() => rm(folder, { recursive: true }));

const points = [-6, -4, -2, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20];

describe('semlink demo', () => {
  it('shows the whole sweep and sums it up', { timeout: 60_000 }, async () => {
    const json = path.join(folder, 'demo.json');
    const { status, stdout } = await semlink(['demo', '--images', '100', '--json', json]);
    expect(status).toBe(0);
    const { manifest } = await defaultModel();
    const summary = JSON.parse(await readFile(json, 'utf8')) as Summary;
    const atEachPoint = Object.fromEntries(points.map((snrDb) => [snrDb, expect.any(Number)]));
    expect(summary).toEqual({
      images_sent: 1_400,
      results_received: 1_400,
      errors: 0,
      errors_by_message: {},
      accuracy: expect.any(Number),
      accuracy_by_snr_db: atEachPoint,
      mean_channel_uses: expect.any(Number),
      mean_channel_uses_by_snr_db: atEachPoint,
      latency_seconds: { p50: expect.any(Number), p95: expect.any(Number), p99: expect.any(Number) },
      images_per_second: expect.any(Number),
      payload_bytes_per_image: 4 * summary.mean_channel_uses,
      seed: 1,
      versions: { semlink: expect.stringMatching(/^\d+\.\d+\.\d+$/), model: manifest.version },
    });
    expect(summary.accuracy).toBeGreaterThan(0.6);
    const { p50, p95, p99 } = summary.latency_seconds;
    expect(p50).toBeGreaterThan(0);
    expect(p95).toBeGreaterThanOrEqual(p50);
    expect(p99).toBeGreaterThanOrEqual(p95);
    // The better the channel, the fewer symbols.
    expect(summary.mean_channel_uses_by_snr_db['20']).toBeLessThan(summary.mean_channel_uses_by_snr_db['-6']! / 2);

    for (const snrDb of points) {
      expect(stdout).toMatch(new RegExp(`^ +${snrDb} dB {2}#+\\.* \\d+\\.\\d % right`, 'm'));
      expect(stdout).toMatch(new RegExp(`^${snrDb} +100 +0 +\\d+\\.\\d `, 'm'));
    }
    expect(stdout).toMatch(/^all +1400 +0 /m);
    expect(stdout).toMatch(/\nFrom -6 to 20 dB the transmitter went from .* where the image has 3,072\.\n$/);
  });

  it('gives the same accuracy again with the same seed and one process a service', { timeout: 60_000 }, async () => {
    // A fixed length: then nothing depends on when feedback arrives.
    const flags = ['--images', '40', '--snr-db', '0,10', '--policy', 'fixed', '--k', '8', '--seed', '11'];
    const runs: Summary[] = [];
    for (const where of [[], ['--processes']]) {
      const json = path.join(folder, `again${where.length}.json`);
      const { status } = await semlink(['demo', ...flags, ...where, '--json', json]);
      expect(status).toBe(0);
      runs.push(JSON.parse(await readFile(json, 'utf8')) as Summary);
    }
    const [one, many] = runs as [Summary, Summary];
    expect(many).toMatchObject({ images_sent: 80, results_received: 80, seed: 11, mean_channel_uses: 8 });
    expect(many.accuracy_by_snr_db).toEqual(one.accuracy_by_snr_db);
  });

  it.skipIf(!knowsChildren)('leaves no service behind when it is stopped', { timeout: 60_000 }, async () => {
    const run = startSemlink(['demo', '--processes', '--snr-db', '10']);
    await until(() => run.stdout.includes('/metrics'), 30_000);
    const services = await childrenOf(run.child.pid!);
    expect(services).toHaveLength(3);
    run.child.kill('SIGTERM');
    expect(await run.ended).toBe(143);
    expect(services.filter(({ pid }) => isRunning(pid))).toEqual([]);
  });
});
