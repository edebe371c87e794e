import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { frameTraceId } from '../../shared/telemetry/index.js';
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from './otlp-receiver.js';

const run = promisify(execFile);

interface ChildReport {
  readonly enabled: boolean;
  readonly header: string;
  readonly start: string;
  readonly sent: boolean;
  readonly warnings: readonly string[];
}

/** Runs the compiled child under the compiled preload, with nothing of this process's OTEL_ variables. */
async function runChild(env: Record<string, string>): Promise<ChildReport> {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('OTEL_')));
  const { stdout } = await run(
    process.execPath,
    ['--import', './dist/shared/telemetry/preload.js', 'dist/test/telemetry/frame-child.js'],
    { env: { ...inherited, ...env }, timeout: 30_000 },
  );
  return JSON.parse(stdout) as ChildReport;
}

let receiver: OtlpReceiver;
beforeAll(async () => {
  receiver = await startOtlpReceiver();
});
afterAll(() => receiver.close());

const named = (spans: readonly ReceivedSpan[], name: string): ReceivedSpan => {
  const found = spans.filter((span) => span.name === name);
  expect(found, name).toHaveLength(1);
  return found[0] as ReceivedSpan;
};

describe('a frame of a process under the preload', () => {
  test.each(['http/protobuf', 'grpc'])('is one trace at the collector, over %s', async (protocol) => {
    const report = await runChild({
      SEMLINK_SERVICE_NAME: `chain-${protocol}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: protocol === 'grpc' ? receiver.grpcEndpoint : receiver.httpEndpoint,
      ...(protocol === 'grpc' ? { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' } : {}),
    });
    expect(report).toMatchObject({ enabled: true, sent: true, warnings: [] });
    const [, traceId = '', rootId = '', flags] = report.header.split('-');
    expect(flags).toBe('01');
    // What any service works out by itself from the frame.
    expect(traceId).toBe(frameTraceId({ linkId: 'link-1', sequence: 7n, captureTimeUnixNano: BigInt(report.start) }));

    await receiver.waitFor((spans) => spans.filter((span) => span.traceId === traceId).length >= 4);
    const spans = receiver.trace(traceId);
    expect(spans).toHaveLength(4);
    const root = named(spans, 'semlink.send');
    const encode = named(spans, 'semlink.encode');
    const propagate = named(spans, 'semlink.propagate');
    const decode = named(spans, 'semlink.decode');

    expect(root).toMatchObject({ spanId: rootId, parentSpanId: '', attributes: { 'semlink.link.id': 'link-1' } });
    expect(root.attributes).toMatchObject({ 'semlink.frame.sequence': 7, 'semlink.label': 3 });
    for (const stage of [encode, propagate, decode]) expect(stage.parentSpanId).toBe(rootId);

    expect(encode.attributes).toMatchObject({
      'semlink.service': 'transmitter-encoder',
      'semlink.channel_uses': 8,
      'semlink.snr_db': -6.5,
      'semlink.correct': true,
    });
    const start = BigInt(report.start);
    expect([encode.startUnixNano - start, encode.endUnixNano - start]).toEqual([100_000n, 400_000n]);
    expect([root.startUnixNano - start, root.endUnixNano - start]).toEqual([0n, 1_000_000n]);
    expect(decode).toMatchObject({ statusCode: 2, statusMessage: 'a made-up fault' });

    // The stream is a mark of no length in a trace of its own, and the frame points at it.
    const [link] = encode.links;
    const stream = receiver.spans.find((span) => span.spanId === link?.spanId);
    expect(stream).toMatchObject({ name: 'semlink.stream', parentSpanId: '', traceId: link?.traceId });
    expect(stream?.endUnixNano).toBe(stream?.startUnixNano);
    expect(stream?.traceId).not.toBe(traceId);

    for (const span of spans) {
      expect(span.service).toBe(`chain-${protocol}`);
      expect(span.resource['service.version']).toMatch(/^\d+\.\d+\.\d+/);
      expect(span.resource['service.instance.id']).toMatch(/^[0-9a-f-]{36}$/);
      expect(span.resource).not.toHaveProperty('process.command_args');
    }
  });

  test('goes by the script when nothing names the service', async () => {
    const report = await runChild({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.httpEndpoint });
    const traceId = report.header.split('-')[1] ?? '';
    await receiver.waitFor((spans) => spans.some((span) => span.traceId === traceId));
    expect(receiver.trace(traceId)[0]?.service).toBe('frame-child');
  });

  test('carries no trace when no collector is named or tracing is switched off', async () => {
    const before = receiver.spans.length;
    expect(await runChild({})).toMatchObject({ enabled: false, header: '', sent: true });
    const off = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.httpEndpoint, OTEL_SDK_DISABLED: 'true' };
    expect(await runChild(off)).toMatchObject({ enabled: false, header: '' });
    expect(receiver.spans).toHaveLength(before);
  });

  test('leaves nothing to send when the standard sampler keeps nothing', async () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.httpEndpoint, OTEL_TRACES_SAMPLER: 'always_off' };
    expect(await runChild(env)).toMatchObject({ enabled: true, header: '', sent: true });
  });
});

describe('a collector that fails', () => {
  test('by never answering holds a drain no longer than its limit, and says so', async () => {
    const open = new Set<Socket>();
    const silent = createServer((socket) => open.add(socket));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    try {
      const { port } = silent.address() as AddressInfo;
      const report = await runChild({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, TEST_LIMIT_MS: '300' });
      expect(report.sent).toBe(false);
      expect(report.warnings).toEqual(['The last spans were not sent to the collector: no answer within 300 ms.']);
    } finally {
      for (const socket of open) socket.destroy();
      silent.close();
    }
  });

  test('by not being there is named with its reason', async () => {
    const report = await runChild({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
      OTEL_EXPORTER_OTLP_TIMEOUT: '200',
      TEST_LIMIT_MS: '20000',
    });
    expect(report.sent).toBe(false);
    expect(report.warnings).toHaveLength(1);
    expect(report.warnings[0]).toMatch(/^The last spans were not sent to the collector: .*ECONNREFUSED/);
  });

  test('is noticed while the service runs, once, and the service runs on', async () => {
    const report = await runChild({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
      OTEL_EXPORTER_OTLP_TIMEOUT: '200',
      OTEL_BSP_SCHEDULE_DELAY: '20',
      TEST_AWAIT_WARNING: 'yes',
    });
    expect(report.warnings).toHaveLength(1);
    expect(report.warnings[0]).toMatch(/^Spans could not be sent to http:\/\/127\.0\.0\.1:9: .*ECONNREFUSED/);
  });
});
