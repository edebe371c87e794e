/** Shapes that all three hops share, and the answer for a frame that has none. */
import { create } from '@bufbuild/protobuf';
import {
  type ChannelStateFeedback,
  type Draining,
  type FrameHeader,
  type FrameResult,
  FrameResultSchema,
} from '../gen/semlink/v1/frame_pb.js';
import { toFrameError } from './errors.js';

/** ImageFrame and SymbolFrame, as far as the streams look into them. */
export interface FrameLike {
  header?: FrameHeader | undefined;
}

/** TransmitResponse, PropagateResponse and ReceiveResponse, as far as the streams look into them. */
export interface FrameResponse {
  results: FrameResult[];
  feedback: ChannelStateFeedback[];
  draining?: Draining | undefined;
}

/** What a frame costs in a queue besides its payload, bytes: headers, map entries, list nodes. */
export const frameOverheadBytes = 512;

/** The fields of a result that are copied from the frame's header. */
export function resultFields(header: FrameHeader | undefined): {
  linkId: string;
  sequence: bigint;
  captureTimeUnixNano: bigint;
  modelVersion: string;
  traceparent: string;
  trueLabel?: number;
} {
  return {
    linkId: header?.linkId ?? '',
    sequence: header?.sequence ?? 0n,
    captureTimeUnixNano: header?.captureTimeUnixNano ?? 0n,
    modelVersion: header?.modelVersion ?? '',
    traceparent: header?.traceparent ?? '',
    ...(header?.trueLabel !== undefined && { trueLabel: header.trueLabel }),
  };
}

/** The answer "there is none, because". `origin`: name of the service that says so. */
export function errorResult(header: FrameHeader | undefined, error: unknown, origin: string): FrameResult {
  return create(FrameResultSchema, {
    ...resultFields(header),
    outcome: { case: 'error', value: toFrameError(error, origin) },
  });
}
