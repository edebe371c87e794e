import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { formatHostPort, parseHostPort } from '../config/address.js';
import { listenProblem } from '../config/listen-problem.js';
import { type Exposition, ExpositionWriter } from './exposition.js';

/** Whether a service takes work, and if not, why, for a person. */
export interface Readiness {
  readonly ready: boolean;
  readonly reason?: string;
}

export interface TelemetryServerOptions {
  /** `host:port`; port 0: any free one. */
  readonly listen: string;
  readonly registry?: Registry;
  /** What /metrics says, given the request's Accept header, instead of what is in a registry. */
  readonly render?: (accept: string | undefined) => Promise<Exposition>;
  /** Asked at every GET /readyz. */
  readonly readiness: () => Readiness | Promise<Readiness>;
}

export interface TelemetryServer {
  /** As bound. */
  readonly host: string;
  readonly port: number;
  /** `http://host:port`, without a path. */
  readonly url: string;
  /** Stops listening and cuts open connections; scrapers keep theirs alive and would hold the process. */
  close(): Promise<void>;
}

interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** What making the body took, ms. */
  readonly renderMs?: number;
}

const TEXT = 'text/plain; charset=utf-8';

/**
 * Serves GET /metrics, /healthz (the process lives) and /readyz (the service takes work).
 *
 * @throws Error with a sentence when the address cannot be listened on
 */
export async function startTelemetryServer(options: TelemetryServerOptions): Promise<TelemetryServer> {
  const { host, port } = parseHostPort(options.listen);
  const writer = new ExpositionWriter(options.registry ?? new Registry());
  const render = options.render ?? ((accept: string | undefined) => writer.render(accept));
  const server = createServer((request, response) => {
    answer(request, render, options.readiness).then(
      (reply) => send(request, response, reply),
      (error: unknown) => send(request, response, { status: 500, contentType: TEXT, body: `${String(error)}\n` }),
    );
  });
  server.requestTimeout = 10_000;
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const why = listenProblem(error as Error) ?? String(error);
    throw new Error(`Cannot serve metrics on ${options.listen}: ${why}.`, { cause: error });
  }
  const bound = server.address() as AddressInfo;
  return {
    host: bound.address,
    port: bound.port,
    url: `http://${formatHostPort({ host: bound.address, port: bound.port })}`,
    async close() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  request: IncomingMessage,
  render: (accept: string | undefined) => Promise<Exposition>,
  readiness: TelemetryServerOptions['readiness'],
): Promise<Reply> {
  const path = (request.url ?? '/').split('?', 1)[0];
  if (path !== '/metrics' && path !== '/healthz' && path !== '/readyz') {
    return { status: 404, contentType: TEXT, body: 'Not found. Try /metrics, /healthz or /readyz.\n' };
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { status: 405, contentType: TEXT, body: `${request.method} is not allowed here; use GET.\n` };
  }
  if (path === '/metrics') {
    const start = performance.now();
    const exposition = await render(request.headers.accept);
    return { status: 200, ...exposition, renderMs: performance.now() - start };
  }
  if (path === '/healthz') return { status: 200, contentType: TEXT, body: 'alive\n' };
  const { ready, reason } = await readiness();
  return {
    status: ready ? 200 : 503,
    contentType: TEXT,
    body: ready ? 'ready\n' : `not ready: ${reason ?? 'starting'}\n`,
  };
}

function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  const { status, contentType, body, renderMs } = reply;
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    // Tells a slow scrape's two causes apart: the text, and the wait for this process.
    ...(renderMs === undefined ? {} : { 'server-timing': `render;dur=${renderMs.toFixed(2)}` }),
    ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
