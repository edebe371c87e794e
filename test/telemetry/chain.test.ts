import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ATTRIBUTES, SERVICES, SPANS } from '../../shared/telemetry/index.js';
import { defaultModel, killAll, startTestLink, type TestLink } from '../integration/link.fixture.js';
import { semlink } from '../integration/semlink-command.fixture.js';
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from './otlp-receiver.js';

/** Spans of a sampled frame, in the order in which a frame passes, with the `service.name` each must have. */
const chain = [
  [SPANS.send, 'semlink'],
  [SPANS.transmit, 'transmitter-encoder'],
  [SPANS.encode, 'transmitter-encoder'],
  [SPANS.propagate, 'channel-emulator'],
  [SPANS.decode, 'receiver-decoder'],
] as const;

let collector: OtlpReceiver;
let local: TestLink;
beforeAll(async () => {
  collector = await startOtlpReceiver();
  // The SDK gathers spans for 5 s unless told otherwise.
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpEndpoint, OTEL_BSP_SCHEDULE_DELAY: '100' };
  local = await startTestLink({ 'channel-emulator': { 'channel.snrDb': 10 } }, env);
});
afterAll(async () => {
  try {
    expect(await local?.stop()).toBe(true);
  } finally {
    killAll(Object.values(local?.processes ?? {}));
    await collector?.close();
  }
});

type FrameSpans = [ReceivedSpan, ReceivedSpan, ReceivedSpan, ReceivedSpan, ReceivedSpan];

function named(spans: readonly ReceivedSpan[], name: string): ReceivedSpan | undefined {
  return spans.find((span) => span.name === name);
}

const ofLink = (linkId: string) => (span: ReceivedSpan) => span.attributes[ATTRIBUTES.link] === linkId;

/** Sends CIFAR-10 images over a link of their own, sampled, and returns their spans by trace. */
async function sendTraced(linkId: string, images: number, ratio: number): Promise<ReceivedSpan[][]> {
  const { status, stderr } = await semlink(
    ['send', '--to', local.address, '--link', linkId, '--images', `${images}`, '--trace-sample-ratio', `${ratio}`],
    { env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpEndpoint } },
  );
  expect(status, stderr).toBe(0);
  const roots = collector.spans.filter((span) => span.name === SPANS.send && ofLink(linkId)(span));
  await collector.waitFor((spans) => spans.filter(ofLink(linkId)).length >= chain.length * roots.length);
  return roots.map(({ traceId }) => collector.trace(traceId));
}

describe('a sampled image', () => {
  it('is one trace over the client and all three services', async () => {
    const { manifest } = await defaultModel();
    const traces = await sendTraced('all', 20, 1);
    expect(traces).toHaveLength(20);
    expect(new Set(traces.map(([root]) => root!.traceId)).size).toBe(20);
    const sequences = new Set<unknown>();
    for (const spans of traces) {
      expect(spans.map(({ name, service }) => [name, service]).sort()).toEqual([...chain].sort());
      const [root, transmit, encode, propagate, decode] = chain.map(([name]) => named(spans, name)) as FrameSpans;
      expect(root.parentSpanId).toBe('');
      expect(transmit.parentSpanId).toBe(root.spanId);
      for (const stage of [encode, propagate, decode]) expect(stage.parentSpanId).toBe(transmit.spanId);

      // One after the other, within the root.
      for (const { startUnixNano, endUnixNano } of spans) expect(endUnixNano).toBeGreaterThan(startUnixNano);
      const times = [
        root.startUnixNano,
        transmit.startUnixNano,
        encode.startUnixNano,
        propagate.startUnixNano,
        decode.startUnixNano,
      ];
      const ends = [
        encode.endUnixNano,
        propagate.endUnixNano,
        decode.endUnixNano,
        transmit.endUnixNano,
        root.endUnixNano,
      ];
      expect(isAscending(times)).toBe(true);
      expect(isAscending(ends)).toBe(true);
      expect(encode.endUnixNano).toBeLessThanOrEqual(propagate.startUnixNano + clockStep);
      expect(propagate.endUnixNano).toBeLessThanOrEqual(decode.startUnixNano + clockStep);

      const sequence = root.attributes[ATTRIBUTES.sequence];
      sequences.add(sequence);
      const channelUses = encode.attributes[ATTRIBUTES.channelUses];
      expect(manifest.channelUses).toContain(channelUses);
      for (const { attributes, statusCode } of spans) {
        const same = {
          [ATTRIBUTES.link]: 'all',
          [ATTRIBUTES.sequence]: sequence,
          [ATTRIBUTES.channelUses]: channelUses,
        };
        expect(attributes).toMatchObject(same);
        expect(statusCode).not.toBe(2);
      }
      expect(root.attributes[ATTRIBUTES.service]).toBe('client');
      expect([transmit, propagate, decode].map(({ attributes }) => attributes[ATTRIBUTES.service])).toEqual(SERVICES);
      expect(encode.attributes[ATTRIBUTES.service]).toBe('transmitter-encoder');
      expect(root.attributes[ATTRIBUTES.label]).toBeGreaterThanOrEqual(0);
      expect(typeof root.attributes[ATTRIBUTES.correct]).toBe('boolean');
      expect(encode.attributes[ATTRIBUTES.modelVersion]).toBe(manifest.version);
      expect(encode.attributes[ATTRIBUTES.rateReason]).toMatch(/^(stale|target|hold|best-effort)$/);
      expect(propagate.attributes).toMatchObject({ [ATTRIBUTES.channelModel]: 'awgn', [ATTRIBUTES.snrDb]: 10 });
      for (const { attributes } of [encode, decode]) {
        expect(attributes[ATTRIBUTES.batchSize]).toBeGreaterThanOrEqual(1);
        expect(attributes[ATTRIBUTES.queueSeconds]).toBeGreaterThanOrEqual(0);
      }
    }
    expect(sequences.size).toBe(20);
  });

  it('points at the streams it went over, which are no spans that never end', async () => {
    await sendTraced('linked', 5, 1);
    const own: readonly string[] = [SPANS.send, SPANS.encode];
    const stages = collector.spans.filter((span) => ofLink('linked')(span) && !own.includes(span.name));
    const streams = () => collector.spans.filter(({ name }) => name === SPANS.stream);
    await collector.waitFor(() =>
      stages.every(({ links: [link] }) => streams().some(({ spanId }) => spanId === link?.spanId)),
    );
    for (const stage of stages) {
      const stream = streams().find(({ spanId }) => spanId === stage.links[0]?.spanId)!;
      expect(stream.service).toBe(stage.service);
      expect(stream.endUnixNano).toBe(stream.startUnixNano);
    }
    // One connection a hop: the frames of one run share three streams.
    expect(new Set(stages.map(({ links: [link] }) => link!.spanId)).size).toBe(3);
  });

  it('is one of about as many as were asked for; the others leave nothing', async () => {
    const traces = await sendTraced('some', 1_000, 0.1);
    // Six standard deviations around 100.
    expect(traces.length).toBeGreaterThan(40);
    expect(traces.length).toBeLessThan(160);
    for (const spans of traces)
      expect(spans.map(({ name }) => name).sort()).toEqual(chain.map(([name]) => name).sort());
    expect(collector.spans.filter(ofLink('some'))).toHaveLength(chain.length * traces.length);
    expect(await sendTraced('none', 50, 0)).toEqual([]);
    expect(collector.spans.filter(ofLink('none'))).toEqual([]);
  });
});

/** Processes on one machine read one clock, but each derives its nanoseconds from its own start. */
const clockStep = 2_000_000n;

function isAscending(values: readonly bigint[]): boolean {
  return values.every((value, i) => i === 0 || value + clockStep > values[i - 1]!);
}
