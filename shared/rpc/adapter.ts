/**
 * Typed bridge between protobuf-es service descriptors (`GenService`) and grpc-js. grpc-js moves the bytes, protobuf-es
 * knows the messages; nothing is generated for the bridge itself.
 */
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import type { GenService, GenServiceMethods } from '@bufbuild/protobuf/codegenv2';
import type {
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  Metadata,
  MethodDefinition,
  ServerDuplexStream,
  ServerReadableStream,
  ServerWritableStream,
  ServiceDefinition,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { Code, type SemlinkError, toGrpcStatus, toSemlinkError } from './errors.js';
import { codecOf } from './wire/compile.js';

type MethodKind = DescMethod['methodKind'];
type Method = GenServiceMethods[string];
export type RequestOf<M extends Method> = MessageShape<M['input']>;
export type RequestInitOf<M extends Method> = MessageInitShape<M['input']>;
export type ResponseOf<M extends Method> = MessageShape<M['output']>;

/** What a unary handler knows about its call besides the request. */
export interface UnaryContext {
  readonly metadata: Metadata;
  readonly peer: string;
  /** Aborted when the caller gave up. */
  readonly signal: AbortSignal;
}

type HandlerByKind<M extends Method> = {
  unary: (request: RequestOf<M>, context: UnaryContext) => ResponseOf<M> | Promise<ResponseOf<M>>;
  /** Ends the call itself; a rejection ends it with the error's status. */
  server_streaming: (call: ServerWritableStream<RequestOf<M>, ResponseOf<M>>) => void | Promise<void>;
  client_streaming: (call: ServerReadableStream<RequestOf<M>, ResponseOf<M>>) => Promise<ResponseOf<M>>;
  /** Ends the call itself; a rejection ends it with the error's status. */
  bidi_streaming: (call: ServerDuplexStream<RequestOf<M>, ResponseOf<M>>) => void | Promise<void>;
};

/** One handler per method of the service, named as in protobuf-es (`setChannel`, `propagate`, ...). */
export type ServiceHandlers<T extends GenServiceMethods> = {
  [K in keyof T]: HandlerByKind<T[K]>[T[K]['methodKind'] & MethodKind];
};

/** Hears about every call; the server counts what is running with it and reports internal errors. */
export interface CallObserver {
  /** `cutOff` ends the call with a status. Returns what to call when it is over. */
  started(cutOff: (status: { code: Code; details: string }) => void): () => void;
  /** An error that the peer saw only as "internal error". */
  internalError(method: string, error: SemlinkError): void;
}

/** A service with its handlers, as `startServer` takes it. */
export interface ServiceImplementation {
  readonly descriptor: DescService;
  readonly definition: ServiceDefinition;
  bind(observer: CallObserver): UntypedServiceImplementation;
}

/** grpc-js's description of one method: path, which sides stream, and how messages become bytes. */
export function methodDefinition(
  method: DescMethod,
): MethodDefinition<MessageShape<DescMessage>, MessageShape<DescMessage>> {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: (message) => codecOf(method.input).encode(message),
    requestDeserialize: (bytes) => codecOf(method.input).decode(bytes),
    responseSerialize: (message) => codecOf(method.output).encode(message),
    responseDeserialize: (bytes) => codecOf(method.output).decode(bytes),
    originalName: method.localName,
  };
}

/** The grpc-js `ServiceDefinition` of a protobuf-es service. */
export function serviceDefinition(service: DescService): ServiceDefinition {
  return Object.fromEntries(service.methods.map((method) => [method.localName, methodDefinition(method)]));
}

/** Joins a service descriptor and its handlers; every handler's errors leave as the status they carry. */
export function implementService<T extends GenServiceMethods>(
  service: GenService<T>,
  handlers: ServiceHandlers<T>,
): ServiceImplementation {
  const descriptor = service as unknown as DescService;
  const byName = handlers as Record<string, AnyHandler>;
  return {
    descriptor,
    definition: serviceDefinition(descriptor),
    bind(observer) {
      const bound: UntypedServiceImplementation = {};
      for (const method of descriptor.methods) {
        const handler = byName[method.localName];
        if (handler) bound[method.localName] = bindMethod(method, handler, observer);
      }
      return bound;
    },
  };
}

// Inside the adapter messages are untyped; ServiceHandlers is where the types are checked.
type AnyMessage = MessageShape<DescMessage>;
type AnyHandler = (callOrRequest: unknown, context?: UnaryContext) => unknown;
type UnaryHandler = UntypedServiceImplementation[string];

function bindMethod(method: DescMethod, handler: AnyHandler, observer: CallObserver): UnaryHandler {
  const name = `${method.parent.typeName}/${method.name}`;
  const status = (error: unknown): { code: Code; details: string } => {
    const known = toSemlinkError(error);
    if (known.code === Code.INTERNAL) observer.internalError(name, known);
    return toGrpcStatus(known);
  };
  if (method.methodKind === 'unary') return bindUnary(handler, observer, status);
  if (method.methodKind === 'client_streaming') {
    const bound: handleClientStreamingCall<AnyMessage, AnyMessage> = (call, callback) => {
      const finished = observer.started((reason) => callback(reason));
      call.once('cancelled', finished);
      Promise.resolve()
        .then(() => handler(call))
        .then(
          (response) => callback(null, response as AnyMessage),
          (error: unknown) => callback(status(error)),
        );
    };
    return bound;
  }
  const bound: handleBidiStreamingCall<AnyMessage, AnyMessage> & handleServerStreamingCall<AnyMessage, AnyMessage> = (
    call: ServerDuplexStream<AnyMessage, AnyMessage> | ServerWritableStream<AnyMessage, AnyMessage>,
  ) => {
    const finished = observer.started((reason) => call.emit('error', reason));
    // 'cancelled' comes at the end of every server call, after a status was sent as well as when the peer went away.
    call.once('cancelled', finished);
    call.once('close', finished);
    Promise.resolve()
      .then(() => handler(call))
      .catch((error: unknown) => call.emit('error', status(error)));
  };
  return bound;
}

function bindUnary(
  handler: AnyHandler,
  observer: CallObserver,
  status: (error: unknown) => { code: Code; details: string },
): UnaryHandler {
  return (call: { metadata: Metadata; request: AnyMessage } & UnaryCallSurface, callback: UnaryCallback) => {
    const abort = new AbortController();
    const finished = observer.started((reason) => {
      callback(reason);
      abort.abort();
    });
    call.once('cancelled', () => abort.abort());
    Promise.resolve()
      .then(() => handler(call.request, { metadata: call.metadata, peer: call.getPeer(), signal: abort.signal }))
      .then(
        (response) => callback(null, response as AnyMessage),
        (error: unknown) => callback(status(error)),
      )
      .finally(finished)
      // The callback itself throws only when the response cannot be encoded, which grpc-js has answered by then.
      .catch((error: unknown) => status(error));
  };
}

interface UnaryCallSurface {
  once(event: 'cancelled', listener: () => void): unknown;
  getPeer(): string;
}
type UnaryCallback = (error: { code: Code; details: string } | null, value?: AnyMessage) => void;

/** A request message from what a caller wrote: a message stays as it is, a plain object is completed. */
export function toMessage<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): MessageShape<Desc> {
  return create(schema, init);
}
