import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LinkAnswer, SemanticLink } from '../../shared/client/link.js';
import { semlinkVersion } from '../../shared/config/index.js';
import { METRICS, type MetricDefinition, SERVICES, type ServiceName, STAGES } from '../../shared/telemetry/index.js';
import {
  classificationOf,
  errorOf,
  killAll,
  sendAll,
  startTestLink,
  type TestImage,
  type TestLink,
  testImages,
  until,
} from '../integration/link.fixture.js';
import type { Scrape } from './exposition-parse.js';

const images = 300;
/** Images of a wrong size, which the transmitter refuses. */
const refused = 7;

let local: TestLink;
const answers: LinkAnswer<TestImage>[] = [];
const scrapes = {} as Record<ServiceName, Scrape>;
/** While the client's stream was still open. */
const openStreams = {} as Record<ServiceName, Scrape>;

beforeAll(async () => {
  const [pictures, started] = await Promise.all([
    testImages(images),
    startTestLink({ 'receiver-decoder': { 'recheck.share': 1 } }),
  ]);
  local = started;
  const awgn = (snrDb: number) => ({ linkId: 'live', channel: { snrDb, model: { case: 'awgn' as const, value: {} } } });
  const link = new SemanticLink({
    address: local.address,
    linkId: 'live',
    policy: { kind: 'target-accuracy', accuracy: 0.7 },
  });
  await local.emulator.setChannel(awgn(0));
  answers.push(...(await sendAll(link, pictures.slice(0, images / 2))));
  await local.emulator.setChannel(awgn(14));
  answers.push(...(await sendAll(link, pictures.slice(images / 2))));
  for (let i = 0; i < refused; i++) {
    const { result } = await link.classify({ ...pictures[i]!, width: 16 });
    expect(errorOf(result)).toBeDefined();
  }
  for (const role of SERVICES) openStreams[role] = await local.scrape(role);
  await link.close();
  for (const role of SERVICES) {
    await until(async () => {
      scrapes[role] = await local.scrape(role);
      return sum(scrapes[role], METRICS.streamsOpen.name) === 0;
    });
  }
});
afterAll(async () => {
  try {
    expect(await local?.stop()).toBe(true);
  } finally {
    killAll(Object.values(local?.processes ?? {}));
  }
});

/** Sum of a metric's samples whose labels match. */
function sum({ samples }: Scrape, name: string, labels: Record<string, string> = {}): number {
  return samples
    .filter((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    .reduce((total, { value }) => total + value, 0);
}

const payload = () => answers.reduce((total, { result }) => total + result.payloadBytes, 0);
const channelUses = () => answers.reduce((total, { result }) => total + result.channelUses, 0);

describe.each([...SERVICES])('/metrics of the %s', (role) => {
  it('has every metric that is named for it, and no other of ours', () => {
    const served: MetricDefinition[] = Object.values(METRICS).filter((metric: MetricDefinition) =>
      metric.services.includes(role),
    );
    const ours = [...scrapes[role].types].filter(([name]) => name.startsWith('semlink_'));
    expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(served.map(({ name, type }) => [name, type])));
    const bare = (name: string) => name.replace(/_(bucket|sum|count)$/, '');
    for (const { name, labels } of scrapes[role].samples.filter((one) => one.name.startsWith('semlink_'))) {
      const metric = served.find((one) => one.name === name || (one.type === 'histogram' && one.name === bare(name)))!;
      const allowed = [...metric.labels, ...(name.endsWith('_bucket') ? ['le'] : [])];
      expect(allowed).toEqual(expect.arrayContaining(Object.keys(labels)));
    }
    // Samples, not only a heading: all of these have been used by now.
    const { gpuMemory, gpuBusy, errors, airLost } = METRICS;
    const rare = [gpuMemory, gpuBusy, ...(role === 'transmitter-encoder' ? [] : [errors, airLost])];
    const unused: string[] = rare.map(({ name }) => name);
    for (const { name, type } of served.filter((one) => !unused.includes(one.name))) {
      const sample = type === 'histogram' ? `${name}_count` : name;
      expect(scrapes[role].value(sample), name).toBeDefined();
    }
    expect(scrapes[role].value('process_cpu_seconds_total')).toBeGreaterThan(0);
  });

  it('counts what the client saw: results, accuracy, bytes, symbols, latency', () => {
    const scrape = scrapes[role];
    const errors = role === 'transmitter-encoder' ? refused : 0;
    const link = { link: 'live' };
    expect(scrape.value('semlink_frames_total', { ...link, outcome: 'result' })).toBe(images);
    expect(scrape.value('semlink_frames_total', { ...link, outcome: 'error' })).toBe(errors);
    expect(sum(scrape, 'semlink_errors_total', { code: 'INVALID_ARGUMENT', origin: role })).toBe(errors);
    expect(sum(scrape, 'semlink_errors_total')).toBe(errors);
    const correct = answers.filter(({ result, context }) => classificationOf(result).label === context.label);
    expect(scrape.value('semlink_labelled_total', link)).toBe(images);
    expect(scrape.value('semlink_correct_total', link)).toBe(correct.length);
    expect(scrape.value('semlink_payload_bytes_total', link)).toBe(payload());
    expect(scrape.value('semlink_snr_db', link)).toBe(14);
    expect(scrape.value('semlink_channel_uses_count')).toBe(images);
    expect(scrape.value('semlink_channel_uses_sum')).toBe(channelUses());
    expect(scrape.value('semlink_end_to_end_latency_seconds_count')).toBe(images + errors);
    const seconds = answers.reduce((total, { latencySeconds }) => total + latencySeconds, 0);
    const measured = scrape.value('semlink_end_to_end_latency_seconds_sum')!;
    expect(measured).toBeGreaterThan(0);
    // What is left after this service, and clocks a millisecond apart.
    expect(measured).toBeLessThan(seconds + 1e-3 * (images + errors) + 1);
    const pixels = answers.reduce((total, { context }) => total + context.rgb.length, 0);
    const received = role === 'transmitter-encoder' ? pixels + refused * 3_072 : payload();
    expect(scrape.value('semlink_received_bytes_total')).toBe(received);
  });

  it('times its own stages, and agrees with the timings in the results', () => {
    const own = Object.entries(STAGES).filter(([, { service }]) => service === role);
    const stages = new Set(
      scrapes[role].samples
        .filter(({ name }) => name === 'semlink_stage_seconds_count')
        .map(({ labels }) => labels.stage),
    );
    expect([...stages].sort()).toEqual(own.map(([stage]) => stage).sort());
    for (const [stage, { field }] of own) {
      expect(scrapes[role].value('semlink_stage_seconds_count', { stage })).toBe(images);
      const seconds = answers.reduce((total, { result }) => total + Number(result.timings![field]) / 1e9, 0);
      expect(scrapes[role].value('semlink_stage_seconds_sum', { stage })).toBeCloseTo(seconds, 6);
    }
  });

  it('knows its streams, queues, readiness and version', () => {
    const called = role === 'receiver-decoder' ? 0 : 1;
    expect(openStreams[role].value('semlink_streams_open', { side: 'served' })).toBe(1);
    expect(openStreams[role].value('semlink_streams_open', { side: 'called' })).toBe(called);
    expect(sum(scrapes[role], 'semlink_queue_bytes')).toBe(0);
    expect(scrapes[role].value('semlink_ready')).toBe(1);
    expect(scrapes[role].value('semlink_build_info', { service: role, version: semlinkVersion() })).toBe(1);
  });
});

describe('/metrics of the services with an engine', () => {
  it.each(['transmitter-encoder', 'receiver-decoder'] as const)('%s: every frame went through one batch', (role) => {
    const scrape = scrapes[role];
    // The receiver has looked at each a second time.
    expect(scrape.value('semlink_batch_size_sum')).toBe(role === 'receiver-decoder' ? 2 * images : images);
    expect(sum(scrape, 'semlink_batches_total')).toBe(scrape.value('semlink_batch_size_count'));
  });
});

describe('/metrics of the receiver-decoder', () => {
  const scrape = () => scrapes['receiver-decoder'];

  it('tells accuracy by SNR and length', () => {
    for (const name of ['labelled', 'correct']) {
      const both = sum(scrape(), `semlink_${name}_by_snr_total`);
      expect(both).toBe(scrape().value(`semlink_${name}_total`, { link: 'live' }));
    }
    for (const snr of ['0', '14']) {
      expect(sum(scrape(), 'semlink_labelled_by_snr_total', { snr_from_db: snr })).toBe(images / 2);
    }
    const lengths = new Set(answers.map(({ result }) => result.channelUses));
    for (const k of lengths) {
      const own = answers.filter(({ result }) => result.channelUses === k).length;
      expect(sum(scrape(), 'semlink_labelled_by_snr_total', { k: `${k}` })).toBe(own);
    }
  });

  it('knows how sure it was, and what the symbols could tell', () => {
    const confidence = answers.reduce((total, { result }) => total + classificationOf(result).confidence, 0);
    expect(scrape().value('semlink_confidence_ratio_sum')).toBeCloseTo(confidence, 3);
    const bits = answers.reduce(
      (total, { result }) => total + result.channelUses * Math.log2(1 + 10 ** (result.snrDb! / 10)),
      0,
    );
    expect(scrape().value('semlink_semantic_bits_sum')).toBeCloseTo(bits, 1);
  });

  it('has looked at each answer again', () => {
    expect(scrape().value('semlink_rechecked_total', { link: 'live' })).toBe(images);
    expect(scrape().value('semlink_disagreed_total', { link: 'live' })).toBeLessThan(images / 4);
  });
});

describe('/metrics of the transmitter-encoder', () => {
  it('has split the whole latency into stages and network', () => {
    const stages = SERVICES.reduce((total, role) => total + sum(scrapes[role], 'semlink_stage_seconds_sum'), 0);
    const own = scrapes['transmitter-encoder'];
    const network = own.value('semlink_network_seconds_sum')!;
    expect(own.value('semlink_network_seconds_count')).toBe(images);
    expect(network).toBeGreaterThan(0);
    // The refused images have no stages.
    const latency = own.value('semlink_end_to_end_latency_seconds_sum')!;
    expect(stages + network).toBeLessThanOrEqual(latency + 1e-6);
    expect(stages + network).toBeGreaterThan(latency - refused * 5);
  });

  it('counts every rate decision by the length that was sent', () => {
    const scrape = scrapes['transmitter-encoder'];
    expect(sum(scrape, 'semlink_rate_decisions_total', { link: 'live' })).toBe(images);
    for (const k of new Set(answers.map(({ result }) => result.channelUses))) {
      const sent = answers.filter(({ result }) => result.channelUses === k).length;
      expect(sum(scrape, 'semlink_rate_decisions_total', { link: 'live', k: `${k}` })).toBe(sent);
    }
    const unknown = sum(scrape, 'semlink_rate_decisions_total', { reason: 'stale' });
    expect(unknown).toBeGreaterThan(0);
    expect(scrape.value('semlink_feedback_age_seconds_count')).toBeLessThanOrEqual(images);
    expect(scrape.value('semlink_feedback_age_seconds_count')).toBeGreaterThanOrEqual(images - unknown);
  });
});
