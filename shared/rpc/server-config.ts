import { z } from 'zod';
import { addressOption, group, option } from '../config/index.js';
import type { BatchLimits } from './frame-batch.js';
import { RECEIVE_WINDOW_BYTES } from './receive-window.js';
import type { ServerOptions } from './server.js';
import { type ServerTlsConfig, serverTlsFields } from './tls.js';

/** The part of a service's configuration that `serverFields` declares. */
export interface ServerConfig {
  readonly listen: string;
  readonly drainLimitMs: number;
  readonly tls: ServerTlsConfig;
  readonly rpc: {
    readonly maxMessageBytes: number;
    readonly receiveWindowBytes: number;
    readonly keepaliveTimeMs: number;
    readonly keepaliveTimeoutMs: number;
    readonly maxConnectionAgeMs: number;
  };
  readonly stream: {
    readonly windowBytes: number;
    readonly batchFrames: number;
    readonly batchBytes: number;
    readonly batchDelayUs: number;
  };
}

/** Fields every service's configuration takes in by `...serverFields('127.0.0.1:50051')`. */
export function serverFields(listen: string) {
  return {
    listen: addressOption(listen, 'Where to serve gRPC.'),
    drainLimitMs: option(z.int().min(0).max(3_600_000).default(10_000), {
      description: 'How long open streams and calls have to finish after SIGTERM or SIGINT.',
      unit: 'ms',
    }),
    ...serverTlsFields(),
    rpc: group({
      maxMessageBytes: option(
        z
          .int()
          .min(1024)
          .max(256 * 1024 * 1024)
          .default(4 * 1024 * 1024),
        { description: 'Largest gRPC message accepted; larger ones end with RESOURCE_EXHAUSTED.', unit: 'bytes' },
      ),
      receiveWindowBytes: option(
        z
          .int()
          .min(65_535)
          .max(1024 ** 3)
          .default(RECEIVE_WINDOW_BYTES),
        {
          description:
            'What a peer may send on a connection before it is read; as much a round trip is the most it carries.',
          unit: 'bytes',
        },
      ),
      keepaliveTimeMs: option(z.int().min(1_000).max(3_600_000).default(20_000), {
        description: 'Ping a silent connection this often.',
        unit: 'ms',
      }),
      keepaliveTimeoutMs: option(z.int().min(100).max(600_000).default(10_000), {
        description: 'Drop a connection whose ping stays unanswered for so long.',
        unit: 'ms',
      }),
      maxConnectionAgeMs: option(z.int().min(0).max(86_400_000).default(300_000), {
        description:
          'Ask streams to move on after about this long: names are looked up again then, and new replicas get work; 0: never.',
        unit: 'ms',
      }),
    }),
    stream: group({
      windowBytes: option(
        z
          .int()
          .min(4096)
          .max(4 * 1024 ** 3)
          .default(8 * 1024 * 1024),
        { description: 'Bytes of frames without an answer, per stream; beyond that reading pauses.', unit: 'bytes' },
      ),
      batchFrames: option(z.int().min(1).max(4096).default(256), {
        description: 'Most frames or answers of one message.',
        unit: 'frames',
      }),
      batchBytes: option(
        z
          .int()
          .min(1024)
          .max(64 * 1024 * 1024)
          .default(256 * 1024),
        { description: 'Most bytes of one message.', unit: 'bytes' },
      ),
      batchDelayUs: option(z.int().min(0).max(1_000_000).default(500), {
        description: 'Longest wait for company under load; a lone frame never waits.',
        unit: 'us',
      }),
    }),
  };
}

/** The part of a service's configuration that `hopFields` declares. */
export interface HopConfig {
  readonly frameTimeoutMs: number;
  readonly reconnectWaitMs: number;
}

/**
 * Fields of every service that sends frames on.
 *
 * @param peer service that they go to
 */
export function hopFields(peer: string) {
  return {
    frameTimeoutMs: option(z.int().min(1).max(3_600_000).default(30_000), {
      description: 'A frame without an answer for so long is answered DEADLINE_EXCEEDED.',
      unit: 'ms',
    }),
    reconnectWaitMs: option(z.int().min(0).max(600_000).default(2_000), {
      description: `How long frames wait for a ${peer} that is down before they are answered UNAVAILABLE.`,
      unit: 'ms',
    }),
  };
}

/** What a frame stream to the next service takes of a configuration. */
export function hopOptions(config: ServerConfig & HopConfig): StreamLimits & HopConfig {
  return {
    ...streamOptions(config),
    frameTimeoutMs: config.frameTimeoutMs,
    reconnectWaitMs: config.reconnectWaitMs,
  };
}

/** What `startServer` takes of a configuration. */
export function serverOptions(
  config: ServerConfig,
): Required<
  Pick<
    ServerOptions,
    'listen' | 'drainLimitMs' | 'maxMessageBytes' | 'receiveWindowBytes' | 'keepaliveTimeMs' | 'keepaliveTimeoutMs'
  >
> {
  const { maxMessageBytes, receiveWindowBytes, keepaliveTimeMs, keepaliveTimeoutMs } = config.rpc;
  const { listen, drainLimitMs } = config;
  return { listen, drainLimitMs, maxMessageBytes, receiveWindowBytes, keepaliveTimeMs, keepaliveTimeoutMs };
}

/** What both ends of frame streams are bounded by. */
export interface StreamLimits {
  /** Bytes of frames without an answer, per stream. */
  windowBytes: number;
  batch: BatchLimits;
}

/** What both ends of frame streams take of a configuration. */
export function streamOptions({ stream }: Pick<ServerConfig, 'stream'>): StreamLimits {
  return {
    windowBytes: stream.windowBytes,
    batch: { maxItems: stream.batchFrames, maxBytes: stream.batchBytes, maxDelayMicros: stream.batchDelayUs },
  };
}

/** What `serveFrameStream` takes besides `streamOptions`: when a stream must move on. */
export function streamAgeOptions(config: ServerConfig): { maxStreamAgeMs: number; ageDrainLimitMs: number } {
  return { maxStreamAgeMs: config.rpc.maxConnectionAgeMs, ageDrainLimitMs: config.drainLimitMs };
}
