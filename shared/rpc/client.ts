/** Typed clients: a unary method is a promise with a deadline, a streaming method returns grpc-js's typed stream. */
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import type { GenService, GenServiceMethods } from '@bufbuild/protobuf/codegenv2';
import {
  type CallOptions,
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  connectivityState,
  credentials,
  Metadata,
} from '@grpc/grpc-js';
import { methodDefinition, type RequestInitOf, type RequestOf, type ResponseOf, toMessage } from './adapter.js';
import './grpc-logging.js';
import { Code, SemlinkError, toSemlinkError } from './errors.js';
import { clientWindow } from './receive-window.js';
import { notReachable } from './stream-failure.js';

export interface UnaryCallOptions {
  /** Milliseconds until the call fails with DEADLINE_EXCEEDED. Default 5,000. */
  deadlineMs?: number;
  signal?: AbortSignal;
  metadata?: Metadata;
}

export interface StreamCallOptions {
  metadata?: Metadata;
}

type Method = GenServiceMethods[string];
type ClientMethod<M extends Method> = M['methodKind'] extends 'unary'
  ? (request: RequestInitOf<M>, options?: UnaryCallOptions) => Promise<ResponseOf<M>>
  : M['methodKind'] extends 'bidi_streaming'
    ? (options?: StreamCallOptions) => ClientDuplexStream<RequestOf<M>, ResponseOf<M>>
    : M['methodKind'] extends 'server_streaming'
      ? (request: RequestInitOf<M>, options?: StreamCallOptions) => ClientReadableStream<ResponseOf<M>>
      : M['methodKind'] extends 'client_streaming'
        ? (options?: StreamCallOptions) => ClientStreamingCall<M>
        : never;

/** Requests go into `call`; `response` settles when the peer has answered, which it may do before the last request. */
export interface ClientStreamingCall<M extends Method> {
  readonly call: ClientWritableStream<RequestOf<M>>;
  readonly response: Promise<ResponseOf<M>>;
}

/** What every client has besides its methods. */
export interface RpcChannel {
  /** The target as given, for messages to people. */
  readonly address: string;
  /** Connects now, not with the first call; and again by itself where that fails. */
  connect(): void;
  /** Whether the connection stands now. */
  isConnected(): boolean;
  /** Resolves when connected; rejects with UNAVAILABLE after `timeoutMs`. */
  waitForReady(timeoutMs: number): Promise<void>;
  /** Closes the connection once running calls have ended. */
  close(): void;
}

export type RpcClient<T extends GenServiceMethods> = { [K in keyof T]: ClientMethod<T[K]> } & RpcChannel;

export interface RpcClientOptions {
  /** `host:port`, or any grpc-js target such as `dns:///name:port`. */
  address: string;
  /** Default: plain text. */
  credentials?: ChannelCredentials;
  /** Largest message accepted, bytes. Default 4 MiB. */
  maxMessageBytes?: number;
  /**
   * Bytes the peer may send on a connection before they are read, 65,535 or more. Default: HTTP/2's own 65,535, since answers are
   * small and a source that does not read them must be felt soon.
   */
  receiveWindowBytes?: number;
  /** Ping a silent connection this often, milliseconds. Default 20,000. */
  keepaliveTimeMs?: number;
  /** grpc-js options that go over the ones set here. */
  channelOptions?: ChannelOptions;
}

const defaultDeadlineMs = 5_000;

/** A client of `service` at `options.address`. Connects on the first call; reconnects within 2 s of a peer's return. */
export function createRpcClient<T extends GenServiceMethods>(
  service: GenService<T>,
  options: RpcClientOptions,
): RpcClient<T> {
  const maxMessageBytes = options.maxMessageBytes ?? 4 * 1024 * 1024;
  const client = new Client(options.address, options.credentials ?? credentials.createInsecure(), {
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': -1,
    'grpc.keepalive_time_ms': options.keepaliveTimeMs ?? 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
    // grpc-js starts at 1 s and goes to 2 min: too slow for a peer that restarts. Within what a hop waits for it (2 s).
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1_000,
    // With several endpoints behind a name, calls go round them.
    'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
    ...(options.receiveWindowBytes !== undefined && clientWindow(options.receiveWindowBytes)),
    ...options.channelOptions,
  });
  const methods: Record<string, unknown> = {
    address: options.address,
    close: () => client.close(),
    connect: () => void client.getChannel().getConnectivityState(true),
    isConnected: () => client.getChannel().getConnectivityState(false) === connectivityState.READY,
    waitForReady: (timeoutMs: number) =>
      new Promise<void>((resolve, reject) => {
        client.waitForReady(Date.now() + timeoutMs, (error) => {
          if (!error) return resolve();
          const sentence = `no connection to ${options.address} within ${timeoutMs} ms; check that it runs there`;
          reject(new SemlinkError(Code.UNAVAILABLE, sentence, { cause: error }));
        });
      }),
  };
  for (const method of (service as unknown as DescService).methods) {
    methods[method.localName] = clientMethod(client, method, options.address);
  }
  return methods as RpcClient<T>;
}

function clientMethod(client: Client, method: DescMethod, address: string): unknown {
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method);
  switch (method.methodKind) {
    case 'unary':
      return (init: Record<string, unknown>, options: UnaryCallOptions = {}) =>
        new Promise((resolve, reject) => {
          const request = toMessage(method.input, init);
          const callOptions: CallOptions = { deadline: Date.now() + (options.deadlineMs ?? defaultDeadlineMs) };
          const call = client.makeUnaryRequest(
            path,
            requestSerialize,
            responseDeserialize,
            request,
            options.metadata ?? new Metadata(),
            callOptions,
            (error, response) => {
              options.signal?.removeEventListener('abort', cancel);
              if (error) reject(atPeer(toSemlinkError(error), address));
              else resolve(response);
            },
          );
          const cancel = (): void => call.cancel();
          if (options.signal?.aborted) cancel();
          else options.signal?.addEventListener('abort', cancel, { once: true });
        });
    case 'bidi_streaming':
      return (options: StreamCallOptions = {}) =>
        client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, options.metadata ?? new Metadata());
    case 'server_streaming':
      return (init: Record<string, unknown>, options: StreamCallOptions = {}) =>
        client.makeServerStreamRequest(
          path,
          requestSerialize,
          responseDeserialize,
          toMessage(method.input, init),
          options.metadata ?? new Metadata(),
        );
    case 'client_streaming':
      return (options: StreamCallOptions = {}) => {
        let call: ClientWritableStream<RequestOf<Method>> | undefined;
        const response = new Promise<unknown>((resolve, reject) => {
          const metadata = options.metadata ?? new Metadata();
          call = client.makeClientStreamRequest(
            path,
            requestSerialize,
            responseDeserialize,
            metadata,
            (error, value) => {
              if (error) reject(atPeer(toSemlinkError(error), address));
              else resolve(value);
            },
          );
        });
        // The caller hears of a failure when it looks at the response, which may be after the last request.
        response.catch(() => {});
        return { call, response };
      };
  }
}

/** A connection problem names the address; what the peer itself said stays as it is. */
function atPeer(error: SemlinkError, address: string): SemlinkError {
  if (error.code === Code.UNAVAILABLE) return notReachable(address, error.message);
  if (error.code !== Code.DEADLINE_EXCEEDED) return error;
  return new SemlinkError(error.code, `${address}: ${error.message}`, { cause: error.cause });
}
