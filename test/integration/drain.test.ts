import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Summary } from '../../deploy/cli/tally.js';
import { SERVICES, type ServiceName } from '../../shared/telemetry/index.js';
import { healthClient } from '../conformance/health.fixture.js';
import { errorOf, sendAll, type TestImage, testImages, until } from './link.fixture.js';
import {
  expectNamedErrors,
  type RestartableLink,
  startRestartableLink,
  untilWorking,
} from './restartable-link.fixture.js';
import { startSemlink } from './semlink-command.fixture.js';

/** Images of one run, and after how many answers the service is stopped. */
const total = 3_000;
const stopAfter = 800;
const drainLimitMs = 10_000;
const services: Record<ServiceName, string> = {
  'transmitter-encoder': 'semlink.v1.TransmitterEncoderService',
  'channel-emulator': 'semlink.v1.ChannelEmulatorService',
  'receiver-decoder': 'semlink.v1.ReceiverDecoderService',
};

let images: TestImage[];
let local: RestartableLink;
let folder: string;
beforeAll(async () => {
  [images, local, folder] = await Promise.all([
    testImages(total),
    startRestartableLink(drainLimitMs),
    mkdtemp(path.join(tmpdir(), 'semlink-drain-')),
  ]);
});
afterAll(async () => {
  local?.killAll();
  if (folder) await rm(folder, { recursive: true });
});

beforeEach(() => local.restartAll());

describe.each([...SERVICES])('SIGTERM of the %s while images are under way', (role) => {
  it('ends with status 0, every image accounted for, and the link works again when it is back', {
    timeout: 60_000,
  }, async () => {
    const service = local.running[role];
    const link = local.open(`term.${role}`);
    const health = healthClient(service.address);
    const watch = health.watch(services[role]);
    await until(() => watch.statuses.length === 1);
    let left: Promise<{ status: number | string; ms: number }> | undefined;
    let notServing: Promise<void> | undefined;
    const answers = await sendAll(link, images, (count) => {
      if (count !== stopAfter) return;
      const start = performance.now();
      left = service.stop(drainLimitMs + 5_000).then((status) => ({ status, ms: performance.now() - start }));
      notServing = until(() => watch.statuses.includes('NOT_SERVING'), 3_000);
    });
    await notServing;
    const { status, ms } = await left!;
    expect(status).toBe(0);
    expect(ms).toBeLessThan(drainLimitMs);
    expect(local.log[role].at(-1)).toContain('drained');
    expect(watch.statuses).toEqual(['SERVING', 'NOT_SERVING']);
    health.close();

    const errors = expectNamedErrors(answers, service);
    // What had been taken when the signal came was finished, and what came after it had gone is named.
    expect(answers.length - errors).toBeGreaterThanOrEqual(stopAfter);
    expect(errors).toBeGreaterThan(0);

    await local.restart(role);
    await untilWorking(link, images[0]!);
    const after = await sendAll(link, images.slice(0, 200));
    expect(after.filter(({ result }) => errorOf(result))).toEqual([]);
    await link.close();
  });
});

describe('semlink send while a service is stopped', () => {
  it('exits 1 with a summary in which every image is a result or a named error', { timeout: 60_000 }, async () => {
    const json = path.join(folder, 'send.json');
    const { address, metricsAddress } = local.running['transmitter-encoder'];
    const send = startSemlink(['send', '--to', address, '--images', `${total}`, '--json', json, '--link', 'cli']);
    await until(async () => {
      const metrics = await (await fetch(`http://${metricsAddress}/metrics`)).text();
      const answered = /^semlink_frames_total\{link="cli",outcome="result"\} (\d+)$/m.exec(metrics)?.[1];
      return Number(answered ?? 0) >= stopAfter;
    }, 15_000);
    expect(await local.running['channel-emulator'].stop()).toBe(0);
    expect(await send.ended).toBe(1);
    const summary = JSON.parse(await readFile(json, 'utf8')) as Summary;
    expect(summary.images_sent).toBe(total);
    expect(summary.results_received + summary.errors).toBe(total);
    expect(summary.results_received).toBeGreaterThanOrEqual(stopAfter);
    const messages = Object.entries(summary.errors_by_message);
    expect(messages.reduce((sum, [, count]) => sum + count, 0)).toBe(summary.errors);
    for (const [message] of messages) {
      expect(message).toMatch(/^UNAVAILABLE transmitter-encoder: /);
      expect(message).toContain(`channel-emulator at ${local.running['channel-emulator'].address}`);
      expect(send.stdout).toContain(message);
    }
  });
});
