/** Traces of frames as a real store of traces has them, from the real services. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../shared/build/compiled.js';
import { SemanticLink } from '../../shared/client/link.js';
import { type FrameResult, ImageFrameSchema } from '../../shared/gen/semlink/v1/frame_pb.js';
import {
  TransmitRequestSchema,
  TransmitterEncoderService,
} from '../../shared/gen/semlink/v1/transmitter_encoder_pb.js';
import { createRpcClient } from '../../shared/rpc/client.js';
import { ATTRIBUTES, frameTraceId, nowUnixNano, SPANS, startTracing } from '../../shared/telemetry/index.js';
import {
  killAll,
  sendAll,
  startTestLink,
  type TestImage,
  type TestLink,
  testImages,
} from '../integration/link.fixture.js';
import { hasJaeger, type SpanStore, type StoredSpan, startSpanStore, waitForSpans } from './span-store.js';

if (!hasJaeger) {
  process.stderr.write(
    '\n*** jaeger is not on PATH: traces are looked at in a receiver of our own, not in a real store ***\n\n',
  );
}

/** What a frame's spans are called, by the service that sends them. */
const sampled = [
  [SPANS.send, 'test-client'],
  [SPANS.transmit, 'transmitter-encoder'],
  [SPANS.encode, 'transmitter-encoder'],
  [SPANS.propagate, 'channel-emulator'],
  [SPANS.decode, 'receiver-decoder'],
];

let store: SpanStore;
let local: TestLink;
let models: string;
let images: TestImage[];
let stopTracing: () => Promise<boolean>;
beforeAll(async () => {
  store = await startSpanStore();
  // The receiver has only the smallest model: frames of another fail there, behind everything else.
  models = await mkdtemp(path.join(tmpdir(), 'semlink-traces-'));
  await cp(path.join(projectRoot, 'shared/models/s-cifar10-2'), path.join(models, 's-cifar10-2'), { recursive: true });
  process.env.OTEL_BSP_SCHEDULE_DELAY = '100';
  const tracing = await startTracing({ serviceName: 'test-client', endpoint: store.endpoint });
  stopTracing = () => tracing.stop(5_000);
  images = await testImages(64);
  local = await startTestLink(
    {
      'transmitter-encoder': { 'trace.sampleRatio': 0.3 },
      'channel-emulator': { 'channel.snrDb': 10 },
      'receiver-decoder': { models },
    },
    { OTEL_EXPORTER_OTLP_ENDPOINT: store.endpoint, OTEL_BSP_SCHEDULE_DELAY: '100' },
  );
}, 120_000);
afterAll(async () => {
  try {
    expect(await local?.stop()).toBe(true);
  } finally {
    killAll(Object.values(local?.processes ?? {}));
    await stopTracing?.();
    await store?.close();
    await rm(models, { recursive: true, force: true });
  }
});

const linkWith = (linkId: string, traceSampleRatio: number, modelVersion = 's-cifar10-2') =>
  new SemanticLink({ address: local.address, linkId, modelVersion, traceSampleRatio, maxInFlight: 64 });
const namesOf = (spans: readonly StoredSpan[]) => spans.map(({ name, service }) => [name, service]);
const traceOf = (traceId: string, count: number) =>
  waitForSpans(
    () => store.trace(traceId),
    (spans) => spans.length >= count,
  );
const named = (spans: readonly StoredSpan[], name: string): StoredSpan => {
  const found = spans.filter((span) => span.name === name);
  expect(found, name).toHaveLength(1);
  return found[0]!;
};
const identityOf = ({ linkId, sequence, captureTimeUnixNano }: FrameResult) => ({
  linkId,
  sequence,
  captureTimeUnixNano,
});
const errorOf = ({ outcome }: FrameResult) => {
  if (outcome.case !== 'error') throw new Error('the frame has not failed');
  return outcome.value;
};

/** The clocks of processes on one machine derive their nanoseconds each from its own start. */
const clockStepMicros = 2_000;

/** Parents and children, and each within its parent. */
function expectTree(spans: readonly StoredSpan[], parents: Readonly<Record<string, string | undefined>>): void {
  for (const [name, parent] of Object.entries(parents)) {
    const child = named(spans, name);
    if (parent === undefined) {
      expect(child.parentSpanId, name).toBeUndefined();
      continue;
    }
    const { spanId, start, end } = named(spans, parent);
    expect(child.parentSpanId, name).toBe(spanId);
    expect(child.start, name).toBeGreaterThan(start - clockStepMicros);
    expect(child.end, name).toBeLessThan(end + clockStepMicros);
  }
}

const wholeTree = {
  [SPANS.send]: undefined,
  [SPANS.transmit]: SPANS.send,
  [SPANS.encode]: SPANS.transmit,
  [SPANS.propagate]: SPANS.transmit,
  [SPANS.decode]: SPANS.transmit,
};

describe('sampled frames', { timeout: 120_000 }, () => {
  it('are one trace each from the client over all services and back, though they went in batches', async () => {
    const link = linkWith('whole', 1);
    const answers = await sendAll(link, images);
    await link.close();
    const traces = await Promise.all(answers.map(({ result }) => traceOf(frameTraceId(identityOf(result)), 5)));
    for (const spans of traces) {
      expect(namesOf(spans).sort()).toEqual([...sampled].sort());
      expectTree(spans, wholeTree);
      const order = [SPANS.send, SPANS.transmit, SPANS.encode, SPANS.propagate, SPANS.decode];
      const starts = order.map((name) => named(spans, name).start);
      for (const [i, start] of starts.entries()) {
        if (i > 0) expect(start).toBeGreaterThan(starts[i - 1]! - clockStepMicros);
      }
      const sequence = named(spans, SPANS.send).attributes[ATTRIBUTES.sequence];
      for (const { attributes, failed } of spans) {
        expect(attributes).toMatchObject({ [ATTRIBUTES.link]: 'whole', [ATTRIBUTES.sequence]: sequence });
        expect(failed).toBe(false);
      }
    }
    expect(new Set(traces.map(([first]) => first!.traceId)).size).toBe(images.length);
    // Frames that were encoded together say so, and keep traces of their own.
    const sizes = traces.map((spans) => Number(named(spans, SPANS.encode).attributes[ATTRIBUTES.batchSize]));
    expect(Math.max(...sizes)).toBeGreaterThan(1);
    for (const size of new Set(sizes)) expect(sizes.filter((one) => one === size).length % size).toBe(0);
  });

  it('point at the streams they came by: one of each hop', async () => {
    const link = linkWith('linked', 1);
    const answers = await sendAll(link, images.slice(0, 8));
    await link.close();
    const traces = await Promise.all(answers.map(({ result }) => traceOf(frameTraceId(identityOf(result)), 5)));
    for (const [name, service, rpc] of [
      [SPANS.transmit, 'transmitter-encoder', 'Transmit'],
      [SPANS.propagate, 'channel-emulator', 'Propagate'],
      [SPANS.decode, 'receiver-decoder', 'Receive'],
    ] as const) {
      const links = traces.map((spans) => named(spans, name).links);
      expect(links.map(({ length }) => length)).toEqual(links.map(() => 1));
      expect(new Set(links.map(([one]) => one!.spanId)).size).toBe(1);
      const [stream] = await traceOf(links[0]![0]!.traceId, 1);
      expect(stream).toMatchObject({ name: SPANS.stream, service, spanId: links[0]![0]!.spanId });
      expect(stream!.attributes[ATTRIBUTES.rpc]).toBe(rpc);
    }
  });

  it('leave the others without a trace', async () => {
    const link = linkWith('quiet', 0);
    const answers = await sendAll(link, images);
    await link.close();
    expect(answers.every(({ result }) => result.outcome.case === 'classification')).toBe(true);
    expect(await store.find('transmitter-encoder', SPANS.transmit, { [ATTRIBUTES.link]: 'quiet' })).toEqual([]);
  });
});

describe('frames that fail, of which none was sampled', { timeout: 120_000 }, () => {
  it('at the transmitter are a trace of client and transmitter', async () => {
    const link = linkWith('early', 0);
    const { result } = await link.classify({ ...images[0]!, width: 16 });
    await link.close();
    const { traceId, message } = errorOf(result);
    expect(traceId).toBe(frameTraceId(identityOf(result)));
    const spans = await traceOf(traceId, 2);
    expect(namesOf(spans)).toEqual(sampled.slice(0, 2));
    expectTree(spans, { [SPANS.send]: undefined, [SPANS.transmit]: SPANS.send });
    for (const span of spans) {
      expect(span.failed).toBe(true);
      expect(span.attributes[ATTRIBUTES.errorCode]).toBe(3);
      expect(span.attributes[ATTRIBUTES.errorOrigin]).toBe('transmitter-encoder');
      if (store.kind === 'jaeger') expect(span.attributes['otel.status_description']).toBe(message);
    }
    // The log of the service where it failed has the same trace.
    const lines = local.log['transmitter-encoder'].map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.find(({ trace_id }) => trace_id === traceId)).toMatchObject({
      level: 'warn',
      link: 'early',
      sequence: 0,
      code: 'INVALID_ARGUMENT',
    });
  });

  it('at the receiver, behind everything else, are a trace of all services', async () => {
    const link = linkWith('late', 0, 'm-cifar10-3');
    const [first] = await Promise.all(images.slice(0, 3).map((image) => link.classify(image)));
    const { result } = first!;
    await link.close();
    expect(errorOf(result)).toMatchObject({ origin: 'receiver-decoder', code: 5 });
    const spans = await traceOf(errorOf(result).traceId, 5);
    expect(namesOf(spans).sort()).toEqual([...sampled].sort());
    expectTree(spans, wholeTree);
    expect(spans.filter(({ failed }) => failed).map(({ name }) => name)).toEqual([
      SPANS.send,
      SPANS.transmit,
      SPANS.decode,
    ]);
    expect(named(spans, SPANS.propagate).attributes[ATTRIBUTES.snrDb]).toBe(10);
    expect(named(spans, SPANS.propagate).links).toHaveLength(1);
    expect(local.log['receiver-decoder'].some((line) => line.includes(errorOf(result).traceId))).toBe(true);
  });

  it('on the air are a trace that says so', async () => {
    const channel = { model: 'erasure', probability: 1, unit: 'frame' };
    await local.emulator.setChannel({ linkId: 'lost', patch: JSON.stringify({ channel }) });
    const link = linkWith('lost', 0);
    const { result } = await link.classify(images[0]!);
    await link.close();
    expect(errorOf(result)).toMatchObject({ origin: 'channel-emulator', code: 15 });
    const spans = await traceOf(errorOf(result).traceId, 4);
    expect(namesOf(spans).sort()).toEqual(sampled.slice(0, 4).sort());
    const { [SPANS.decode]: _none, ...tree } = wholeTree;
    expectTree(spans, tree);
    expect(named(spans, SPANS.propagate)).toMatchObject({ failed: true });
    expect(named(spans, SPANS.propagate).attributes[ATTRIBUTES.channelModel]).toBe('erasure');
  });

  it('in a flood are traced and logged within bounds, and every one is answered', async () => {
    const before = local.log['transmitter-encoder'].length;
    const link = linkWith('flood', 0);
    const bad = Array.from({ length: 3_000 }, (_, index) => ({ ...images[0]!, width: 16, index }));
    const started = performance.now();
    const answers = await sendAll(link, bad);
    await link.close();
    const seconds = (performance.now() - started) / 1e3;
    expect(answers.every(({ result }) => errorOf(result).code === 3)).toBe(true);
    const traced = answers.filter(({ result }) => errorOf(result).traceId !== '');
    expect(traced.length).toBeGreaterThan(0);
    expect(traced.length).toBeLessThanOrEqual(20 + 20 * seconds + 1);
    // Five a code and window, one that counts the rest.
    expect(local.log['transmitter-encoder'].length - before).toBeLessThanOrEqual(6 * Math.ceil(seconds / 10 + 1));
    const traces = await waitForSpans(
      () => store.find('transmitter-encoder', SPANS.transmit, { [ATTRIBUTES.link]: 'flood' }),
      (found) => found.length >= traced.length && found.every((spans) => spans.length === 2),
    );
    expect(traces).toHaveLength(traced.length);
    for (const spans of traces) expectTree(spans, { [SPANS.send]: undefined, [SPANS.transmit]: SPANS.send });
  });
});

describe('frames of a client that knows nothing of tracing', { timeout: 120_000 }, () => {
  async function transmit(linkId: string, count: number, traceparent: string, width = 32): Promise<FrameResult[]> {
    const client = createRpcClient(TransmitterEncoderService, { address: local.address });
    const call = client.transmit();
    const results: FrameResult[] = [];
    call.write(
      create(TransmitRequestSchema, {
        frames: images.slice(0, count).map(({ rgb }, i) =>
          create(ImageFrameSchema, {
            header: {
              linkId,
              sequence: BigInt(i),
              captureTimeUnixNano: nowUnixNano(),
              traceparent,
              modelVersion: 's-cifar10-2',
            },
            width,
            height: 32,
            rgb,
          }),
        ),
      }),
    );
    call.end();
    for await (const response of call as AsyncIterable<{ results: FrameResult[] }>) results.push(...response.results);
    client.close();
    return results;
  }

  it('are sampled by the transmitter, which is the root', async () => {
    const results = await transmit('foreign', 64, '');
    expect(results).toHaveLength(64);
    const traces = await waitForSpans(
      () => store.find('receiver-decoder', SPANS.decode, { [ATTRIBUTES.link]: 'foreign' }),
      (found) => found.length >= 8 && found.every((spans) => spans.length === 4),
    );
    // Six standard deviations around 0.3 x 64, and the same ones in every run.
    expect(traces.length).toBeLessThan(42);
    const ids = new Set(results.map((result) => frameTraceId(identityOf(result))));
    for (const spans of traces) {
      expect(ids.has(spans[0]!.traceId)).toBe(true);
      expect(namesOf(spans).sort()).toEqual(sampled.slice(1).sort());
      const { [SPANS.send]: _none, ...tree } = wholeTree;
      expectTree(spans, { ...tree, [SPANS.transmit]: undefined });
    }
  });

  it('are hung under the span they come with, each with spans of its own', async () => {
    const [traceId, spanId] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
    await transmit('caller', 3, `00-${traceId}-${spanId}-01`);
    const spans = await traceOf(traceId, 12);
    const transmits = spans.filter(({ name }) => name === SPANS.transmit);
    expect(transmits.map(({ parentSpanId }) => parentSpanId)).toEqual([spanId, spanId, spanId]);
    for (const { spanId: id, attributes } of transmits) {
      const below = spans.filter(({ parentSpanId }) => parentSpanId === id);
      expect(below.map(({ name }) => name)).toEqual([SPANS.encode, SPANS.propagate, SPANS.decode]);
      for (const one of below) expect(one.attributes[ATTRIBUTES.sequence]).toBe(attributes[ATTRIBUTES.sequence]);
    }
  });

  it('are traced when they fail, in the trace of the caller where there is one', async () => {
    const [plain] = await transmit('foreign-bad', 1, '', 16);
    const [root] = await traceOf(errorOf(plain!).traceId, 1);
    expect(root).toMatchObject({ name: SPANS.transmit, parentSpanId: undefined, failed: true });
    const [traceId, spanId] = ['c'.repeat(32), 'd'.repeat(16)];
    const [unsampled] = await transmit('foreign-bad', 1, `00-${traceId}-${spanId}-00`, 16);
    expect(errorOf(unsampled!).traceId).toBe(traceId);
    expect((await traceOf(traceId, 1))[0]).toMatchObject({ name: SPANS.transmit, parentSpanId: spanId, failed: true });
  });
});
