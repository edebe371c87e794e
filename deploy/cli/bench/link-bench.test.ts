import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { semlink } from '../../../test/integration/semlink-command.fixture.js';
import { startEmbedded } from '../../local/embedded.js';
import { imagesOf, type LinkMeasurement, measureLink } from './link-bench.js';
import { shapeOf } from './link-command.js';
import { usageOf } from './process-usage.js';

const TIME = { warmSeconds: 0.2, seconds: 0.5, connections: 2 };
const free = { listen: '127.0.0.1:0', 'metrics.listen': '127.0.0.1:0', logLevel: 'warn' };
const folder = mkdtempSync(path.join(os.tmpdir(), 'semlink-bench-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a load on a link', { timeout: 120_000 }, () => {
  it('is answered whole, closed and open loop, over several streams and connections', async () => {
    const link = await startEmbedded({
      'transmitter-encoder': free,
      'channel-emulator': free,
      'receiver-decoder': free,
    });
    try {
      const { address } = link.services['transmitter-encoder'];
      const { channelUses, ...images } = await imagesOf(address);
      expect(images).toMatchObject({ width: 32, height: 32 });
      const policy = { kind: 'fixed', channelUses: channelUses[0]! } as const;
      const target = { address, images, policy, processes: { all: process.pid } };
      const closed = await measureLink(target, shapeOf('4x8x3'), TIME);
      expect(closed).toMatchObject({ images_per_message: 4, in_flight: 8, streams: 3, rate: null, errors: 0 });
      expect(closed.images).toBeGreaterThan(0);
      expect(closed.images_per_second).toBeGreaterThan(0);
      expect(closed.latency_ms.p50).toBeLessThanOrEqual(closed.latency_ms.max);
      expect(closed.stages_ms.encode).toBeGreaterThan(0);
      expect(closed.services_us).toBeGreaterThan(0);
      const open = await measureLink(target, { ...shapeOf('1x64x2'), rate: 20 }, { ...TIME, seconds: 2 });
      expect(open).toMatchObject({ rate: 20, errors: 0 });
      // 40 are due in two seconds; those under way at either end may miss the count.
      expect(open.images).toBeGreaterThan(10);
      expect(open.images).toBeLessThanOrEqual(45);
      const wrong = { ...target, policy: { kind: 'fixed', channelUses: 3 } as const };
      const refused = await measureLink(wrong, shapeOf('1x1'), TIME);
      expect(refused.errors).toBeGreaterThan(0);
      expect(refused.first_error).toMatch(/^transmitter-encoder: channel uses of the policy is 3/);
    } finally {
      await link.stop();
    }
  });

  it('says that nobody is there', async () => {
    await expect(imagesOf('127.0.0.1:1')).rejects.toThrow(/127\.0\.0\.1:1/);
  });
});

describe('semlink bench link', { timeout: 180_000 }, () => {
  it('starts a link, loads it and writes what it measured', async () => {
    const json = path.join(folder, 'link.json');
    const flags = ['--load', '1x1,2x8x2', '--seconds', '0.5', '--warm-seconds', '0.2', '--json', json];
    const { status, stdout } = await semlink(['bench', 'link', ...flags]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/1 x 1 x 1 +\d+/);
    expect(stdout).toMatch(/2 x 8 x 2 +\d+/);
    const { results } = JSON.parse(readFileSync(json, 'utf8')) as { results: LinkMeasurement[] };
    expect(results).toHaveLength(2);
    for (const result of results) {
      expect(result).toMatchObject({ errors: 0, rate: null });
      expect(Object.keys(result.service_us).toSorted()).toEqual([
        'channel-emulator',
        'receiver-decoder',
        'transmitter-encoder',
      ]);
      expect(result.resident_mib).toBeGreaterThan(50);
    }
  });

  it('names a load that is none', async () => {
    const { status, stderr } = await semlink(['bench', 'link', '--load', '8by256']);
    expect(status).toBe(2);
    expect(stderr).toContain('8by256');
  });
});

describe('what processes use', () => {
  it('counts the processor time and memory of a process, and nothing of one that is gone', () => {
    const before = usageOf([process.pid]);
    for (const until = performance.now() + 300; performance.now() < until; );
    const after = usageOf([process.pid]);
    expect(after.processorSeconds).toBeGreaterThan(before.processorSeconds);
    expect(after.residentBytes).toBeGreaterThan(1e6);
    expect(usageOf([2 ** 30])).toEqual({ processorSeconds: 0, residentBytes: 0 });
  });
});
