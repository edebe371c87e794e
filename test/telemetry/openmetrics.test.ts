import { spawnSync } from 'node:child_process';
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { type FrameResult, FrameResultSchema } from '../../shared/gen/semlink/v1/frame_pb.js';
import { ExpositionWriter } from '../../shared/telemetry/exposition.js';
import {
  METRICS,
  type MetricDefinition,
  SERVICES,
  ServiceMetrics,
  type ServiceName,
} from '../../shared/telemetry/index.js';
import { parseOpenMetrics } from './openmetrics-parse.js';

const NOW = 1_700_000_000_000_000_000n;
const ACCEPT = 'application/openmetrics-text; version=1.0.0';
const trace = (n: number) => n.toString(16).padStart(32, '0');

function answer(linkId: string, n: number, sampled: boolean, latencySeconds = 0.0004): FrameResult {
  return create(FrameResultSchema, {
    linkId,
    captureTimeUnixNano: NOW - BigInt(Math.round(latencySeconds * 1e9)),
    outcome: { case: 'classification', value: { label: n % 10, confidence: 0.9 } },
    channelUses: 2 << (n % 7),
    snrDb: (n % 40) - 15,
    payloadBytes: 32,
    trueLabel: n % 9,
    timings: {
      encodeQueueNanos: 1_000_000n,
      encodeNanos: 2_000_000n,
      channelNanos: 100_000n,
      decodeQueueNanos: 1_000_000n,
      decodeNanos: 3_000_000n,
    },
    traceparent: sampled ? `00-${trace(n)}-00f067aa0ba902b7-01` : '',
  });
}

const render = async (metrics: ServiceMetrics) => (await new ExpositionWriter(metrics.registry).render(ACCEPT)).body;

/** Prometheus's own Python client; continuous integration has it, see .ci/run. */
const python = [
  '-c',
  'import sys; from prometheus_client.openmetrics.parser import text_string_to_metric_families as p; print(len(list(p(sys.stdin.read()))))',
];
const hasPython = spawnSync('python3', ['-c', 'import prometheus_client']).status === 0;
if (!hasPython) process.stderr.write('python3 has no prometheus_client: its reading of /metrics is left out\n');

describe.each([...SERVICES])('OpenMetrics of the %s', (service) => {
  const full = () => {
    const metrics = new ServiceMetrics(service);
    const answers = Array.from({ length: 500 }, (_, n) => answer(`link-${n % 30}`, n + 1, n % 5 === 0, n / 50));
    metrics.observeAnswers(answers, NOW);
    return metrics;
  };

  it('keeps every rule of the format', async () => {
    const { types, exemplars } = parseOpenMetrics(await render(full()));
    const own = Object.values(METRICS).filter(({ services }) => (services as readonly ServiceName[]).includes(service));
    for (const { name, type } of own) expect(types.get(name.replace(/_total$/, '')), name).toBe(type);
    expect(exemplars.length).toBeGreaterThan(5);
  });

  it('has exemplars on the latency histograms, and on no other', async () => {
    const { exemplars } = parseOpenMetrics(await render(full()));
    const expected = Object.values<MetricDefinition>(METRICS)
      .filter((one) => one.exemplars && one.services.includes(service))
      .map(({ name }) => `${name}_bucket`);
    expect([...new Set(exemplars.map(({ name }) => name))].sort()).toEqual(expected.sort());
    for (const { traceId, at } of exemplars) {
      // One in five was sampled: 1, 6, 11 ...
      expect(Number.parseInt(traceId, 16) % 5).toBe(1);
      expect(Math.abs(at - Date.now() / 1e3)).toBeLessThan(60);
    }
  });

  it.skipIf(!hasPython)("is read by Prometheus's own parser", async () => {
    const read = spawnSync('python3', python, { input: await render(full()), encoding: 'utf8' });
    expect(read.stderr).toBe('');
    expect(Number(read.stdout)).toBeGreaterThan(20);
  });
});

describe('an exemplar', () => {
  it('is the last sampled frame of its bucket, and one only', async () => {
    const metrics = new ServiceMetrics('receiver-decoder', { processMetrics: false });
    const { name } = METRICS.endToEndLatency;
    metrics.observeAnswers([answer('a', 1, true), answer('a', 2, true), answer('a', 3, false)], NOW);
    metrics.observeAnswers([answer('a', 4, true, 100)], NOW);
    const of = async () =>
      parseOpenMetrics(await render(metrics)).exemplars.filter((one) => one.name === `${name}_bucket`);
    expect((await of()).map(({ labels, traceId, value }) => [labels.le, traceId, value])).toEqual([
      ['0.0005', trace(2), 0.0004],
      ['+Inf', trace(4), 100],
    ]);
    metrics.observeAnswers([answer('a', 5, true)], NOW);
    expect((await of()).map(({ traceId }) => traceId)).toEqual([trace(5), trace(4)]);
  });

  it('is left out where a frame carries something else than a sampled traceparent', async () => {
    const metrics = new ServiceMetrics('receiver-decoder', { processMetrics: false });
    const odd = ['nonsense"} 1', `00-${trace(7)}-00f067aa0ba902b7-00`, `00-${trace(0)}-00f067aa0ba902b7-01`];
    for (const traceparent of odd) metrics.observeAnswers([{ ...answer('a', 1, false), traceparent }], NOW);
    expect(parseOpenMetrics(await render(metrics)).exemplars).toEqual([]);
  });

  it('is not shown in the text format, which has no room for it', async () => {
    const metrics = new ServiceMetrics('receiver-decoder', { processMetrics: false });
    metrics.observeAnswers([answer('a', 1, true)], NOW);
    expect((await new ExpositionWriter(metrics.registry).render('text/plain')).body).not.toContain('trace_id');
  });
});

describe('5,000 links', () => {
  it.each([...SERVICES])(
    'fold into %s’s limit and other, in every metric by link, and lose no count',
    async (service) => {
      const limit = 100;
      const metrics = new ServiceMetrics(service, { linkLimit: limit, processMetrics: false });
      for (let n = 0; n < 5_000; n++) {
        const link = `link-${n}`;
        metrics.observeAnswers([answer(link, n, false)], NOW);
        if (service === 'transmitter-encoder') metrics.observeRateDecision(link, 2 << (n % 7), 'target', 0.01);
        if (service === 'channel-emulator') metrics.channel.countLost(link, 'erased');
        if (service === 'receiver-decoder') metrics.meaning.recheck(link, true);
      }
      const { samples } = parseOpenMetrics(await render(metrics));
      const byLink = Object.values<MetricDefinition>(METRICS).filter(
        ({ labels, services }) => labels.includes('link') && services.includes(service),
      );
      expect(byLink.length).toBeGreaterThanOrEqual(5);
      for (const { name, type } of byLink) {
        const own = [...samples].filter(([key]) => key.startsWith(`${name}{`));
        const links = new Set(own.map(([key]) => /link="([^"]+)"/.exec(key)?.[1]));
        expect(links.size, name).toBe(limit + 1);
        expect(links.has('other'), name).toBe(true);
        // Counted once a frame, but for what is counted by bytes or by being right.
        const once = !/payload|correct|disagreed/.test(name) && type === 'counter';
        if (once)
          expect(
            own.reduce((sum, [, value]) => sum + value, 0),
            name,
          ).toBe(5_000);
      }
      expect(samples.size).toBeLessThan(limit * 40);
    },
  );
});
