import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { decodeTraceRequest, type ReceivedSpan } from './otlp-decode.js';

export type { ReceivedSpan } from './otlp-decode.js';

/** A collector of traces that keeps what it gets, for tests. */
export interface OtlpReceiver {
  /** OTEL_EXPORTER_OTLP_ENDPOINT for `http/protobuf`, the default protocol. */
  readonly httpEndpoint: string;
  /** OTEL_EXPORTER_OTLP_ENDPOINT for OTEL_EXPORTER_OTLP_PROTOCOL=grpc. */
  readonly grpcEndpoint: string;
  /** Every span so far, in order of arrival. */
  readonly spans: readonly ReceivedSpan[];
  /** Spans of one trace, by start time. */
  trace(traceId: string): ReceivedSpan[];
  /**
   * Resolves once `enough` holds for the spans received.
   *
   * @throws Error that lists the spans when it does not within `limitMs` milliseconds
   */
  waitFor(enough: (spans: readonly ReceivedSpan[]) => boolean, limitMs?: number): Promise<readonly ReceivedSpan[]>;
  close(): Promise<void>;
}

const EXPORT_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** Starts a receiver of OTLP over HTTP (protobuf) and over gRPC on free ports of 127.0.0.1. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const watchers = new Set<() => void>();
  const take = (request: Uint8Array): void => {
    spans.push(...decodeTraceRequest(request));
    for (const watch of watchers) watch();
  };
  const http = await startHttp(take);
  const grpc = await startGrpc(take);
  return {
    httpEndpoint: `http://127.0.0.1:${http.port}`,
    grpcEndpoint: `http://127.0.0.1:${grpc.port}`,
    spans,
    trace: (traceId) =>
      spans.filter((span) => span.traceId === traceId).sort((a, b) => Number(a.startUnixNano - b.startUnixNano)),
    waitFor: (enough, limitMs = 10_000) => waitFor(spans, watchers, enough, limitMs),
    async close() {
      await http.close();
      grpc.close();
    },
  };
}

function waitFor(
  spans: readonly ReceivedSpan[],
  watchers: Set<() => void>,
  enough: (spans: readonly ReceivedSpan[]) => boolean,
  limitMs: number,
): Promise<readonly ReceivedSpan[]> {
  return new Promise((resolve, reject) => {
    const watch = (): void => {
      if (!enough(spans)) return;
      clearTimeout(timer);
      watchers.delete(watch);
      resolve(spans);
    };
    const timer = setTimeout(() => {
      watchers.delete(watch);
      const seen = spans.map(({ service, name, traceId }) => `${service} ${name} ${traceId}`);
      reject(new Error(`not the expected spans within ${limitMs} ms; received:\n${seen.join('\n') || 'none'}`));
    }, limitMs);
    watchers.add(watch);
    watch();
  });
}

async function startHttp(take: (request: Uint8Array) => void): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const isTraces = request.method === 'POST' && request.url === '/v1/traces';
      const isProtobuf = request.headers['content-type'] === 'application/x-protobuf';
      if (isTraces && isProtobuf) {
        const body = Buffer.concat(chunks);
        take(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body);
      }
      response.writeHead(isTraces ? (isProtobuf ? 200 : 415) : 404, { 'content-type': 'application/x-protobuf' });
      response.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function startGrpc(take: (request: Uint8Array) => void): Promise<{ port: number; close(): void }> {
  const server = new Server();
  const raw = (bytes: Buffer): Buffer => bytes;
  server.addService(
    {
      Export: {
        path: EXPORT_PATH,
        requestStream: false,
        responseStream: false,
        requestSerialize: raw,
        requestDeserialize: raw,
        responseSerialize: raw,
        responseDeserialize: raw,
      },
    },
    {
      Export(call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) {
        take(call.request);
        callback(null, Buffer.alloc(0));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  return { port, close: () => server.forceShutdown() };
}
