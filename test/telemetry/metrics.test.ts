import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { type FrameResult, FrameResultSchema } from '../../shared/gen/semlink/v1/frame_pb.js';
import {
  METRICS,
  PROCESS_METRICS,
  SERVICES,
  ServiceMetrics,
  type ServiceName,
  STAGES,
  startTelemetryServer,
  type TelemetryServer,
} from '../../shared/telemetry/index.js';
import { type Scrape, scrape } from './exposition-parse.js';

const NOW = 1_700_000_000_000_000_000n;

function answer(
  fields: Partial<{ link: string; label: number; truth: number; latencySeconds: number }> = {},
): FrameResult {
  const { link = 'a', label = 3, truth, latencySeconds = 0.03 } = fields;
  return create(FrameResultSchema, {
    linkId: link,
    captureTimeUnixNano: NOW - BigInt(Math.round(latencySeconds * 1e9)),
    outcome: { case: 'classification', value: { label, confidence: 0.9 } },
    channelUses: 8,
    snrDb: 10,
    payloadBytes: 32,
    timings: {
      encodeQueueNanos: 1_000_000n,
      encodeNanos: 2_000_000n,
      channelNanos: 100_000n,
      decodeQueueNanos: 1_000_000n,
      decodeNanos: 3_000_000n,
    },
    ...(truth === undefined ? {} : { trueLabel: truth }),
  });
}

function failure(code: number, origin: string): FrameResult {
  return create(FrameResultSchema, { linkId: 'a', outcome: { case: 'error', value: { code, origin, message: '' } } });
}

let server: TelemetryServer | undefined;
afterEach(() => server?.close());

async function scraped(metrics: ServiceMetrics, accept?: string): Promise<Scrape> {
  server ??= await startTelemetryServer({
    listen: '127.0.0.1:0',
    registry: metrics.registry,
    readiness: () => ({ ready: true }),
  });
  return scrape(server.url, accept);
}
afterEach(() => {
  server = undefined;
});

describe('answers that pass a service', () => {
  test('become latency, accuracy, k, SNR, bytes and errors', async () => {
    const metrics = new ServiceMetrics('receiver-decoder');
    metrics.observeAnswers(
      [answer({ truth: 3 }), answer({ truth: 4 }), answer(), answer({ link: 'b', truth: 3, latencySeconds: 0.2 })],
      NOW,
    );
    metrics.observeAnswers([failure(14, 'channel-emulator'), failure(99, 'somebody')], NOW);
    const seen = await scraped(metrics);

    expect(seen.value('semlink_frames_total', { link: 'a', outcome: 'result' })).toBe(3);
    expect(seen.value('semlink_frames_total', { link: 'a', outcome: 'error' })).toBe(2);
    expect(seen.value('semlink_labelled_total', { link: 'a' })).toBe(2);
    expect(seen.value('semlink_correct_total', { link: 'a' })).toBe(1);
    expect(seen.value('semlink_correct_total', { link: 'b' })).toBe(1);
    expect(seen.value('semlink_errors_total', { code: 'UNAVAILABLE', origin: 'channel-emulator' })).toBe(1);
    expect(seen.value('semlink_errors_total', { code: 'UNKNOWN', origin: 'other' })).toBe(1);
    expect(seen.value('semlink_payload_bytes_total', { link: 'a' })).toBe(96);
    expect(seen.value('semlink_snr_db', { link: 'b' })).toBe(10);
    expect(seen.value('semlink_channel_uses_sum')).toBe(32);
    expect(seen.value('semlink_channel_uses_bucket', { le: '4' })).toBe(0);
    expect(seen.value('semlink_channel_uses_bucket', { le: '8' })).toBe(4);
    expect(seen.value('semlink_end_to_end_latency_seconds_count')).toBe(4);
    expect(seen.value('semlink_end_to_end_latency_seconds_sum')).toBeCloseTo(3 * 0.03 + 0.2, 9);
    expect(seen.value('semlink_end_to_end_latency_seconds_bucket', { le: '0.035' })).toBe(3);
    expect(seen.value('process_cpu_seconds_total')).toBeGreaterThan(0);
  });

  test('take the time of all stages and of the network between them, at the transmitter', async () => {
    const metrics = new ServiceMetrics('transmitter-encoder', { processMetrics: false });
    // 7.1 of 30 ms are in stages; a failed frame has no stages to tell the network from.
    metrics.observeAnswers([answer(), failure(14, 'channel-emulator')], NOW);
    const seen = await scraped(metrics);
    expect(seen.value('semlink_network_seconds_count')).toBe(1);
    expect(seen.value('semlink_network_seconds_sum')).toBeCloseTo(0.0229, 9);
  });

  test.each(SERVICES)('are timed by the stages of %s alone', async (service) => {
    const metrics = new ServiceMetrics(service, { processMetrics: false });
    metrics.observeAnswers([answer()], NOW);
    const seen = await scraped(metrics);
    for (const [stage, owner] of Object.entries(STAGES)) {
      const count = owner.service === service ? 1 : undefined;
      expect(seen.value('semlink_stage_seconds_count', { stage }), stage).toBe(count);
    }
  });

  test('from a clock that is ahead count as instantaneous', async () => {
    const metrics = new ServiceMetrics('receiver-decoder', { processMetrics: false });
    metrics.observeAnswers([answer({ latencySeconds: -5 })], NOW);
    expect((await scraped(metrics)).value('semlink_end_to_end_latency_seconds_sum')).toBe(0);
  });

  test('never lead to more series than the limit allows, whatever the links are called', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ maxLength: 70 }), { maxLength: 60 }), async (links) => {
        const metrics = new ServiceMetrics('transmitter-encoder', { linkLimit: 5, processMetrics: false });
        metrics.observeAnswers(
          links.map((link) => answer({ link, truth: 3 })),
          NOW,
        );
        for (const link of links) metrics.observeRateDecision(link, 8, 'fixed', 0.1);
        const seen = await parsed(metrics);
        const results = seen.samples.filter(
          ({ name, labels }) => name === 'semlink_frames_total' && labels.outcome === 'result',
        );
        expect(results.length).toBeLessThanOrEqual(6);
        // Folding loses names, never counts.
        expect(results.reduce((sum, { value }) => sum + value, 0)).toBe(links.length);
        const decisions = seen.samples.filter(({ name }) => name === 'semlink_rate_decisions_total');
        expect(decisions.length).toBeLessThanOrEqual(6);
      }),
      { numRuns: 50 },
    );
  });
});

async function parsed(metrics: ServiceMetrics): Promise<Scrape> {
  const { parseExposition } = await import('./exposition-parse.js');
  return parseExposition(await metrics.registry.metrics());
}

describe('a service', () => {
  test.each(SERVICES)('%s serves exactly the metrics that names.ts lists for it', async (service) => {
    const metrics = new ServiceMetrics(service);
    const seen = await scraped(metrics);
    const own = Object.values(METRICS).filter(({ services }) => (services as readonly ServiceName[]).includes(service));
    const listed = [...own, ...PROCESS_METRICS];
    expect([...seen.types.keys()].sort()).toEqual(listed.map(({ name }) => name).sort());
    for (const { name, type } of listed) expect(seen.types.get(name)).toBe(type);
  });

  test('with telemetry off shows whether it is ready and which version it is, and measures nothing', async () => {
    const metrics = new ServiceMetrics('receiver-decoder', { enabled: false });
    metrics.observeAnswers([answer({ truth: 3 })], NOW);
    metrics.observeBatch(8, 'idle');
    metrics.addReceivedBytes(10);
    metrics.trackReady(() => true);
    const seen = await scraped(metrics);
    expect([...seen.types.keys()]).toEqual(['semlink_ready', 'semlink_build_info']);
    expect(seen.value('semlink_ready')).toBe(1);
  });

  test('counts batches, decisions, streams and queues', async () => {
    const metrics = new ServiceMetrics('transmitter-encoder', { processMetrics: false });
    metrics.observeBatch(16, 'full');
    metrics.observeBatch(3, 'idle');
    metrics.observeRateDecision('a', 8, 'target', 0.02);
    metrics.observeRateDecision('a', 64, 'no-feedback');
    metrics.addReceivedBytes(3072);
    let waiting = 100;
    let ready = false;
    metrics.trackQueue('encode', () => waiting);
    metrics.trackReady(() => ready);
    const close = metrics.streamOpened('served');
    metrics.streamOpened('served');
    const before = await scraped(metrics);
    expect(before.value('semlink_batch_size_sum')).toBe(19);
    expect(before.value('semlink_batches_total', { closed_by: 'idle' })).toBe(1);
    expect(before.value('semlink_rate_decisions_total', { link: 'a', k: '8', reason: 'target' })).toBe(1);
    expect(before.value('semlink_feedback_age_seconds_count')).toBe(1);
    expect(before.value('semlink_received_bytes_total')).toBe(3072);
    expect(before.value('semlink_queue_bytes', { queue: 'encode' })).toBe(100);
    expect(before.value('semlink_ready')).toBe(0);
    expect(before.value('semlink_streams_open', { side: 'served' })).toBe(2);
    expect(before.value('semlink_build_info', { service: 'transmitter-encoder' })).toBe(1);

    waiting = 0;
    ready = true;
    close();
    close();
    const after = await scraped(metrics);
    expect(after.value('semlink_queue_bytes', { queue: 'encode' })).toBe(0);
    expect(after.value('semlink_ready')).toBe(1);
    expect(after.value('semlink_streams_open', { side: 'served' })).toBe(1);
    expect(after.value('semlink_streams_open', { side: 'called' })).toBe(0);
  });

  test('refuses a metric that is another service’s', () => {
    const metrics = new ServiceMetrics('channel-emulator', { processMetrics: false });
    expect(() => metrics.observeBatch(1, 'full')).toThrow('semlink_batches_total is not a metric of channel-emulator');
  });

  test('shares nothing with another in the same process', async () => {
    const one = new ServiceMetrics('receiver-decoder');
    const other = new ServiceMetrics('receiver-decoder');
    one.observeAnswers([answer()], NOW);
    expect((await parsed(other)).value('semlink_frames_total', { outcome: 'result' })).toBeUndefined();
  });
});

describe('formats', () => {
  test('OpenMetrics for those who ask, and the text format still right afterwards, also at once', async () => {
    const metrics = new ServiceMetrics('receiver-decoder');
    metrics.observeAnswers([answer()], NOW);
    const openMetrics = 'application/openmetrics-text; version=1.0.0,text/plain;q=0.5';
    await scraped(metrics);
    const scrapes = await Promise.all(
      Array.from({ length: 6 }, (_, index) => scraped(metrics, index % 2 ? openMetrics : 'text/plain')),
    );
    scrapes.forEach((seen, index) => {
      expect(seen.value('semlink_frames_total', { outcome: 'result' }), `scrape ${index}`).toBe(1);
      expect(seen.types.get(index % 2 ? 'semlink_frames' : 'semlink_frames_total')).toBe('counter');
    });
    const response = await fetch(`${server?.url}/metrics`, { headers: { accept: openMetrics, connection: 'close' } });
    expect(response.headers.get('content-type')).toContain('application/openmetrics-text; version=1.0.0');
    expect((await response.text()).endsWith('# EOF\n')).toBe(true);
  });
});
