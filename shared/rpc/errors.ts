/**
 * The one error type of the project. Domain modules throw it, the RPC layer turns it into a gRPC status (a broken call)
 * or into a `FrameError` (one frame without an answer). This file imports no gRPC so that domain code can use it.
 */
import { create } from '@bufbuild/protobuf';
import { type FrameError, FrameErrorSchema } from '../gen/semlink/v1/frame_pb.js';
import type { ErrorCause } from '../telemetry/names.js';

/** google.rpc.Code, the numbers that gRPC statuses and `FrameError.code` carry. */
export const Code = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type Code = (typeof Code)[keyof typeof Code];

/** Why, in a word, where whoever says so does not say. */
const causeOfCode: Partial<Record<Code, ErrorCause>> = {
  [Code.CANCELLED]: 'cancelled',
  [Code.INVALID_ARGUMENT]: 'invalid_frame',
  [Code.DEADLINE_EXCEEDED]: 'peer_silent',
  [Code.NOT_FOUND]: 'unknown_model',
  [Code.ALREADY_EXISTS]: 'duplicate',
  [Code.RESOURCE_EXHAUSTED]: 'queue_full',
  [Code.FAILED_PRECONDITION]: 'channel_setup',
  [Code.OUT_OF_RANGE]: 'channel_setup',
  [Code.UNIMPLEMENTED]: 'channel_setup',
  [Code.UNAVAILABLE]: 'peer_down',
  [Code.DATA_LOSS]: 'air_lost',
};

const codeNames = new Map<number, string>(Object.entries(Code).map(([name, code]) => [code, name]));

/** `3` -> `INVALID_ARGUMENT`; numbers that gRPC does not know become `CODE_<n>`. */
export function codeName(code: number): string {
  return codeNames.get(code) ?? `CODE_${code}`;
}

/**
 * An error with a gRPC code and a message meant for the peer. The `cause` stays on this side: it may be logged, it is
 * never sent.
 */
export class SemlinkError extends Error {
  override readonly name = 'SemlinkError';
  readonly code: Code;
  /** When it is worth trying again, ms from now; undefined: not known. */
  readonly retryAfterMs: number | undefined;
  /** In a word, for counting. */
  readonly why: ErrorCause;

  /** @param options.why default: what the code mostly stands for */
  constructor(code: Code, message: string, options?: { cause?: unknown; retryAfterMs?: number; why?: ErrorCause }) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs;
    this.why = options?.why ?? causeOfCode[code] ?? 'internal';
  }
}

const longestShownValue = 96;

/** A value as it may stand in a message: quoted when it is text, cut when it is long. */
export function showValue(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    text = String(value);
  }
  return text.length <= longestShownValue ? text : `${text.slice(0, longestShownValue)}... (${text.length} characters)`;
}

/** `what` is `value`; `todo`. For example: "snr_db is NaN; use -40 to 60". */
function described(code: Code, what: string, value: unknown, todo: string): SemlinkError {
  return new SemlinkError(code, `${what} is ${showValue(value)}; ${todo}`);
}

/** The caller sent something that can never work. */
export function invalidArgument(what: string, value: unknown, todo: string): SemlinkError {
  return described(Code.INVALID_ARGUMENT, what, value, todo);
}

/** Something named by the caller does not exist here. */
export function notFound(what: string, value: unknown, todo: string): SemlinkError {
  return described(Code.NOT_FOUND, what, value, todo);
}

/** Something named by the caller is in use already. */
export function alreadyExists(what: string, value: unknown, todo: string): SemlinkError {
  return described(Code.ALREADY_EXISTS, what, value, todo);
}

/** A limit was exceeded. `retryAfterMs`: when there will be room, where that is known; `why`: default `queue_full`. */
export function resourceExhausted(
  what: string,
  value: unknown,
  todo: string,
  retryAfterMs?: number,
  why?: ErrorCause,
): SemlinkError {
  return new SemlinkError(Code.RESOURCE_EXHAUSTED, `${what} is ${showValue(value)}; ${todo}`, {
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(why && { why }),
  });
}

/** The system is not in a state in which this can be done. */
export function failedPrecondition(what: string, value: unknown, todo: string): SemlinkError {
  return described(Code.FAILED_PRECONDITION, what, value, todo);
}

const internalMessage = 'internal error; the log of the service has the cause';

/** grpc-js's own sentence for an oversize message; kept here so that people get one that says what to do. */
const oversizeSentence = /message larger than max \((\d+) vs\.? (\d+)\)/i;

/** What a status of a peer says, for people. */
export function peerSentence(details: string): string {
  const oversize = oversizeSentence.exec(details);
  return oversize
    ? `a message of ${oversize[1]} bytes is over the limit of ${oversize[2]} bytes; ` +
        'send fewer frames a message or raise the maximum message size of the service'
    : details;
}

/**
 * Any thrown value as a `SemlinkError`. Statuses received from a peer keep their code and text; everything unknown
 * becomes INTERNAL with a message that gives nothing away and the original as `cause`.
 */
export function toSemlinkError(error: unknown): SemlinkError {
  if (error instanceof SemlinkError) return error;
  if (error instanceof Error && 'code' in error && 'details' in error) {
    const { code, details } = error;
    if (typeof code === 'number' && codeNames.has(code) && code !== Code.OK && typeof details === 'string') {
      return new SemlinkError(code as Code, peerSentence(details), { cause: error });
    }
  }
  return new SemlinkError(Code.INTERNAL, internalMessage, { cause: error });
}

/** What a failed call ends with. */
export function toGrpcStatus(error: unknown): { code: Code; details: string } {
  const known = toSemlinkError(error);
  return { code: known.code, details: known.message };
}

/** What a failed frame is answered with. `origin`: name of the service that says so. */
export function toFrameError(error: unknown, origin: string): FrameError {
  const known = toSemlinkError(error);
  const retryAfterNanos = BigInt(Math.round((known.retryAfterMs ?? 0) * 1e6));
  return create(FrameErrorSchema, {
    code: known.code,
    message: known.message,
    origin,
    retryAfterNanos,
    cause: known.why,
  });
}
