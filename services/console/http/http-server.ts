import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { z } from 'zod';
import { formatHostPort, parseHostPort } from '../../../shared/config/address.js';
import { listenProblem } from '../../../shared/config/listen-problem.js';
import { Code, toSemlinkError } from '../../../shared/rpc/errors.js';
import { checkHost, checkPost, readJson } from './guard.js';
import { HttpError, statusOf } from './http-error.js';
import type { StaticFile } from './static-files.js';

/** What a POST does. */
export interface Action {
  readonly schema: z.ZodType;
  readonly run: (request: never) => void | Promise<void>;
}

export interface ConsoleServerOptions {
  /** `host:port`; port 0: any free one. */
  listen: string;
  /** Names of this server besides localhost and IP addresses. */
  allowHost: readonly string[];
  files: ReadonlyMap<string, StaticFile>;
  /** GET /api/events: takes the response over, or throws HttpError. */
  events: (response: ServerResponse) => void;
  /** POST by path. */
  actions: Readonly<Record<string, Action>>;
  /** Hears of what should not happen. */
  onInternalError: (error: unknown) => void;
}

export interface ConsoleServer {
  /** `host:port` with the real port. */
  readonly address: string;
  /** Listens no more; resolves when what was open has ended, or was cut off after `limitMs`; true: nothing was. */
  close(limitMs: number): Promise<boolean>;
}

const securityHeaders = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/**
 * Serves the page, its events and its actions.
 *
 * @throws Error with a sentence when the address cannot be listened on
 */
export async function startConsoleServer(options: ConsoleServerOptions): Promise<ConsoleServer> {
  const { host, port } = parseHostPort(options.listen);
  const server = createServer((request, response) => {
    answer(request, response, options).catch((error: unknown) => refuse(response, error, options));
  });
  server.requestTimeout = 10_000;
  server.headersTimeout = 10_000;
  server.maxConnections = 256;
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const why = listenProblem(error as Error) ?? String(error);
    throw new Error(`console cannot listen on ${options.listen}: ${why}`, { cause: error });
  }
  const bound = server.address() as AddressInfo;
  return {
    address: formatHostPort({ host, port: bound.port }),
    async close(limitMs) {
      const closed = once(server, 'close').then(() => true);
      server.close();
      server.closeIdleConnections();
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<boolean>((resolve) => {
        timer = setTimeout(() => resolve(false), limitMs);
      });
      const clean = await Promise.race([closed, late]);
      clearTimeout(timer);
      server.closeAllConnections();
      await closed;
      return clean;
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: ConsoleServerOptions,
): Promise<void> {
  const { files, actions, events, allowHost } = options;
  for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
  checkHost(request.headers, allowHost);
  const path = (request.url ?? '/').split('?', 1)[0]!;
  const action = Object.hasOwn(actions, path) ? actions[path] : undefined;
  if (action) {
    if (request.method !== 'POST') throw notAllowed(request, response, 'POST');
    checkPost(request.headers);
    await act(action, await readJson(request));
    sendJson(response, 200, { ok: true });
    return;
  }
  const file = files.get(path);
  if (path !== '/api/events' && !file) throw new HttpError(404, `There is nothing at ${path.slice(0, 80)}.`);
  if (request.method !== 'GET' && request.method !== 'HEAD') throw notAllowed(request, response, 'GET');
  if (file) return sendFile(request, response, file);
  if (request.method === 'GET') return events(response);
  response.end();
}

async function act({ schema, run }: Action, body: unknown): Promise<void> {
  const parsed = schema.safeParse(body);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join('.') || 'the request';
    throw new HttpError(400, `${where}: ${issue?.message ?? 'not understood'}.`);
  }
  await run(parsed.data as never);
}

function notAllowed(request: IncomingMessage, response: ServerResponse, method: string): HttpError {
  response.setHeader('allow', method);
  return new HttpError(405, `${request.method} is not allowed here; use ${method}.`);
}

function sendFile(request: IncomingMessage, response: ServerResponse, { contentType, body, etag }: StaticFile): void {
  response.setHeader('cache-control', 'no-cache');
  response.setHeader('etag', etag);
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304).end();
    return;
  }
  response.writeHead(200, { 'content-type': contentType, 'content-length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function refuse(response: ServerResponse, error: unknown, { onInternalError }: ConsoleServerOptions): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // What is left of a body that was not read must not be taken for the next request.
  response.setHeader('connection', 'close');
  if (error instanceof HttpError) {
    sendJson(response, error.status, { error: error.message });
    return;
  }
  const known = toSemlinkError(error);
  if (known.code === Code.INTERNAL) onInternalError(known.cause ?? known);
  sendJson(response, statusOf(known), { error: known.message });
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(value)}\n`);
}
