/** Life of a gRPC server: listen, health, reflection, drain. */
import { type ServerOptions as GrpcServerOptions, Server, ServerCredentials } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import type { CallObserver, ServiceImplementation } from './adapter.js';
import { DrainList } from './drain-list.js';
import './grpc-logging.js';
import { listenProblem } from '../config/listen-problem.js';
import { Code, SemlinkError } from './errors.js';
import { RECEIVE_WINDOW_BYTES, widenServer } from './receive-window.js';
import { addReflection } from './reflection.js';

export interface ServerOptions {
  /** Name of the service for messages to people, for example `channel-emulator`. */
  role: string;
  /** `host:port`; port 0: any free one. */
  listen: string;
  services: readonly ServiceImplementation[];
  /** Largest message accepted, bytes; larger ones end the call with RESOURCE_EXHAUSTED. Default 4 MiB. */
  maxMessageBytes?: number;
  /** Bytes a peer may send on a connection before they are read, 65,535 or more. Default 1 MiB. */
  receiveWindowBytes?: number;
  /** Ping a silent connection this often, milliseconds. Default 20,000. */
  keepaliveTimeMs?: number;
  /** Drop a connection whose ping stays unanswered this long, milliseconds. Default 10,000. */
  keepaliveTimeoutMs?: number;
  /** How long `drain()` waits for running calls, milliseconds. Default 10,000. */
  drainLimitMs?: number;
  /** Frame streams that must hear of a drain; pass the same list to `serveFrameStream`. */
  drains?: DrainList;
  /** Default: plain text. */
  credentials?: ServerCredentials;
  /** Hears the cause of every error that a peer saw only as "internal error". */
  onInternalError?: (method: string, error: SemlinkError) => void;
}

export interface ServerHandle {
  /** `host:port` with the real port. */
  readonly address: string;
  readonly port: number;
  /** Health of all services and of the server as a whole. */
  setServing(serving: boolean): void;
  /**
   * NOT_SERVING, tells open streams, takes no new calls, waits for running ones. Resolves true when all of them had
   * ended within the drain limit, false when some were cut off. Calling it again gives the same promise.
   */
  drain(): Promise<boolean>;
}

/**
 * Starts a server with health and reflection. It is SERVING at once; call `setServing(false)` before the first await
 * where start-up takes longer.
 * @throws SemlinkError FAILED_PRECONDITION when it cannot listen on the address.
 */
export async function startServer(options: ServerOptions): Promise<ServerHandle> {
  const drainLimitMs = options.drainLimitMs ?? 10_000;
  const drains = options.drains ?? new DrainList();
  const calls = new RunningCalls(options.onInternalError);
  const server = new Server(grpcOptions(options));
  const health = new HealthImplementation();
  const names = ['', ...options.services.map(({ descriptor }) => descriptor.typeName)];
  let said: boolean | undefined;
  const setServing = (serving: boolean): void => {
    // Watchers hear of changes, not of every look.
    if (serving === said) return;
    said = serving;
    for (const name of names) health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
  };
  for (const service of options.services) server.addService(service.definition, service.bind(calls));
  setServing(true);
  health.addToServer(server);
  addReflection(
    server,
    options.services.map(({ descriptor }) => descriptor),
  );
  const port = await bind(server, options);
  let drained: Promise<boolean> | undefined;
  return {
    address: `${options.listen.slice(0, options.listen.lastIndexOf(':'))}:${port}`,
    port,
    setServing,
    drain() {
      drained ??= drainServer();
      return drained;
    },
  };

  async function drainServer(): Promise<boolean> {
    setServing(false);
    drains.begin(drainLimitMs);
    const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    const end = performance.now() + drainLimitMs;
    let clean = await within(calls.idle(), drainLimitMs);
    // A stream that was on its way when the server stopped taking them counts like those before.
    while (clean && !(await within(closed, lastCloseMs)) && calls.size > 0) {
      clean = await within(calls.idle(), Math.max(0, end - performance.now()));
    }
    if (!clean) {
      const details = `${options.role} has stopped; this did not end within its drain limit of ${drainLimitMs} ms`;
      calls.cutOff({ code: Code.UNAVAILABLE, details });
    }
    // What is left after this are connections of others' making, such as a health watch: they need not be waited for.
    if (!clean) await within(closed, lastCloseMs);
    server.forceShutdown();
    return clean;
  }
}

/**
 * How long the last answers may take to leave, and connections to close, once no call is running: a call counts as over when
 * its last message is with the transport, and a machine without a free core has sent nothing yet.
 */
const lastCloseMs = 2_000;

/**
 * No age of connections (grpc.max_connection_age_ms): grpc-js pings a connection that Node is closing, takes the refusal for a
 * dead peer, and drops every stream on it. Streams move by themselves instead (frame-stream-server.ts).
 */
function grpcOptions(options: ServerOptions): GrpcServerOptions {
  return {
    'grpc.max_receive_message_length': options.maxMessageBytes ?? 4 * 1024 * 1024,
    'grpc.max_send_message_length': -1,
    'grpc.keepalive_time_ms': options.keepaliveTimeMs ?? 20_000,
    'grpc.keepalive_timeout_ms': options.keepaliveTimeoutMs ?? 10_000,
  };
}

function bind(server: Server, options: ServerOptions): Promise<number> {
  const { role, listen, credentials, receiveWindowBytes } = options;
  const bound = widenServer(server, receiveWindowBytes ?? RECEIVE_WINDOW_BYTES);
  return new Promise((resolve, reject) => {
    const refuse = (error: Error): void => {
      const reason = listenProblem(error) ?? `${error.message}; use host:port, for example 127.0.0.1:50051`;
      const sentence = `${role} cannot listen on ${listen}: ${reason}`;
      reject(new SemlinkError(Code.FAILED_PRECONDITION, sentence, { cause: error }));
    };
    try {
      server.bindAsync(listen, credentials ?? ServerCredentials.createInsecure(), (error, port) => {
        if (error) return refuse(error);
        bound();
        resolve(port);
      });
    } catch (error) {
      refuse(error as Error);
    }
  });
}

/** Knows the calls that are running, so that a drain waits for them and for nothing else. */
class RunningCalls implements CallObserver {
  readonly #running = new Set<(status: { code: Code; details: string }) => void>();
  #waiting: (() => void)[] = [];
  readonly #report: ServerOptions['onInternalError'];

  constructor(report: ServerOptions['onInternalError']) {
    this.#report = report;
  }

  started(cutOff: (status: { code: Code; details: string }) => void): () => void {
    // A new function for each call, since two calls could bring the same one.
    const entry: typeof cutOff = (status) => cutOff(status);
    this.#running.add(entry);
    return () => {
      if (!this.#running.delete(entry) || this.#running.size > 0) return;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const resolve of waiting) resolve();
    };
  }

  internalError(method: string, error: SemlinkError): void {
    this.#report?.(method, error);
  }

  get size(): number {
    return this.#running.size;
  }

  idle(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  cutOff(status: { code: Code; details: string }): void {
    for (const entry of [...this.#running]) entry(status);
  }
}

/** Whether `promise` resolves within `limitMs`. */
async function within(promise: Promise<void>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
