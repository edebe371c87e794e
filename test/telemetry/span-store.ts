/**
 * Where services send their spans in a test and what it then knows of them: a real Jaeger, asked over its HTTP API, where
 * there is one, else the receiver of the tests.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { startOtlpReceiver } from './otlp-receiver.js';

/** A span as a store of traces keeps it. */
export interface StoredSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly name: string;
  /** `service.name` of the process that sent it. */
  readonly service: string;
  /** Undefined: the root. */
  readonly parentSpanId: string | undefined;
  readonly links: readonly { traceId: string; spanId: string }[];
  /** Microseconds since the Unix epoch, as far as the store keeps them. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly failed: boolean;
}

export interface SpanStore {
  readonly kind: 'jaeger' | 'receiver';
  /** OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly endpoint: string;
  /** Spans of one trace by start, so far. */
  trace(traceId: string): Promise<StoredSpan[]>;
  /** Spans of the traces in which a service has a span of this name with these attributes. */
  find(service: string, name: string, attributes: Readonly<Record<string, string>>): Promise<StoredSpan[][]>;
  close(): Promise<void>;
}

/** Whether a Jaeger can be started here: `jaeger` on PATH (.ci/run builds it). */
export const hasJaeger = spawnSync('jaeger', ['version']).status === 0;

export async function startSpanStore(): Promise<SpanStore> {
  return hasJaeger ? startJaeger() : startReceiver();
}

/** Waits until what a store knows is enough. @throws Error that lists what it knows when it does not come to that */
export async function waitForSpans<T extends readonly unknown[]>(
  ask: () => Promise<T>,
  enough: (found: T) => boolean,
  limitMs = 30_000,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await ask();
    if (enough(found)) return found;
    if (performance.now() > end)
      throw new Error(`not enough spans after ${limitMs} ms: ${JSON.stringify(found, null, 1)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function startReceiver(): Promise<SpanStore> {
  const receiver = await startOtlpReceiver();
  const stored = (): StoredSpan[] =>
    receiver.spans.map(({ startUnixNano, endUnixNano, parentSpanId, statusCode, ...span }) => ({
      ...span,
      parentSpanId: parentSpanId || undefined,
      start: Number(startUnixNano / 1_000n),
      end: Number(endUnixNano / 1_000n),
      failed: statusCode === 2,
    }));
  const trace = (traceId: string) => byStart(stored().filter((span) => span.traceId === traceId));
  return {
    kind: 'receiver',
    endpoint: receiver.httpEndpoint,
    trace: async (traceId) => trace(traceId),
    async find(service, name, attributes) {
      const hits = stored().filter(
        (span) =>
          span.service === service &&
          span.name === name &&
          Object.entries(attributes).every(([key, value]) => String(span.attributes[key]) === value),
      );
      return [...new Set(hits.map(({ traceId }) => traceId))].map(trace);
    },
    close: () => receiver.close(),
  };
}

/** The parts of Jaeger's HTTP API that are used; https://www.jaegertracing.io/docs/1.76/architecture/apis. */
interface JaegerTrace {
  readonly spans: readonly {
    readonly traceID: string;
    readonly spanID: string;
    readonly operationName: string;
    readonly references: readonly { refType: 'CHILD_OF' | 'FOLLOWS_FROM'; traceID: string; spanID: string }[];
    readonly startTime: number;
    readonly duration: number;
    readonly tags: readonly { key: string; value: unknown }[];
    readonly processID: string;
  }[];
  readonly processes: Readonly<Record<string, { serviceName: string }>>;
}

async function startJaeger(): Promise<SpanStore> {
  const [otlp, otlpGrpc, query, queryGrpc, admin, grpc, http] = await freePorts(7);
  const at = (port: number | undefined) => `127.0.0.1:${port}`;
  const jaeger = spawn(
    'jaeger',
    [
      `--collector.otlp.http.host-port=${at(otlp)}`,
      `--collector.otlp.grpc.host-port=${at(otlpGrpc)}`,
      `--query.http-server.host-port=${at(query)}`,
      `--query.grpc-server.host-port=${at(queryGrpc)}`,
      `--admin.http.host-port=${at(admin)}`,
      `--collector.grpc-server.host-port=${at(grpc)}`,
      `--collector.http-server.host-port=${at(http)}`,
      '--log-level=warn',
    ],
    { env: { ...process.env, SPAN_STORAGE_TYPE: 'memory' }, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  jaeger.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-4_000);
  });
  const ask = async (pathAndQuery: string): Promise<StoredSpan[][]> => {
    const response = await fetch(`http://${at(query)}/api/${pathAndQuery}`);
    // A trace that has not come yet is an error there.
    if (response.status === 404) return [];
    if (!response.ok) throw new Error(`Jaeger answered ${response.status}: ${await response.text()}`);
    return ((await response.json()) as { data: JaegerTrace[] | null }).data?.map(storedSpans) ?? [];
  };
  await untilItAnswers(jaeger, `http://${at(admin)}/`, () => said);
  return {
    kind: 'jaeger',
    endpoint: `http://${at(otlp)}`,
    trace: async (traceId) => (await ask(`traces/${traceId}`))[0] ?? [],
    find: (service, name, attributes) => {
      const asked = { service, operation: name, tags: JSON.stringify(attributes), limit: '1500', lookback: '1h' };
      return ask(`traces?${new URLSearchParams(asked)}`);
    },
    async close() {
      const ended = new Promise((resolve) => jaeger.once('exit', resolve));
      jaeger.kill('SIGKILL');
      await ended;
    },
  };
}

function storedSpans({ spans, processes }: JaegerTrace): StoredSpan[] {
  return byStart(
    spans.map((span) => {
      const attributes = Object.fromEntries(span.tags.map(({ key, value }) => [key, value]));
      const parent = span.references.find((one) => one.refType === 'CHILD_OF');
      return {
        traceId: span.traceID,
        spanId: span.spanID,
        name: span.operationName,
        service: processes[span.processID]?.serviceName ?? '',
        parentSpanId: parent?.spanID,
        links: span.references
          .filter((one) => one.refType === 'FOLLOWS_FROM')
          .map((one) => ({ traceId: one.traceID, spanId: one.spanID })),
        start: span.startTime,
        end: span.startTime + span.duration,
        attributes,
        failed: attributes.error === true,
      };
    }),
  );
}

function byStart(spans: StoredSpan[]): StoredSpan[] {
  return spans.sort((a, b) => a.start - b.start || b.end - a.end);
}

async function untilItAnswers(jaeger: ChildProcess, url: string, said: () => string): Promise<void> {
  for (let waited = 0; waited < 30_000; waited += 50) {
    if (jaeger.exitCode !== null) throw new Error(`Jaeger ended (${jaeger.exitCode}): ${said()}`);
    const up = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  jaeger.kill('SIGKILL');
  throw new Error(`Jaeger does not answer: ${said()}`);
}

/** Ports that are free now; all held until the last is known, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
