import type { FrameHeader } from '../gen/semlink/v1/frame_pb.js';
import { invalidArgument, type SemlinkError } from './errors.js';

const linkIdPattern = /^[A-Za-z0-9._:-]{1,64}$/;
const traceparentPattern = /^[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const modelVersionPattern = /^[A-Za-z0-9._-]{0,128}$/;
const largestLabel = 1_000_000;

/** Whether a link can be called that: 1 to 64 characters of [A-Za-z0-9._:-]. */
export function isLinkId(text: string): boolean {
  return linkIdPattern.test(text);
}

/** @throws SemlinkError INVALID_ARGUMENT */
export function checkLinkId(linkId: string): void {
  if (!isLinkId(linkId)) throw invalidArgument('link_id', linkId, 'use 1 to 64 characters of A-Z a-z 0-9 . _ : -');
}

/**
 * What is wrong with a frame's header, or undefined. Returned rather than thrown: a bad frame is an answer, not an
 * exception, and this runs for every frame.
 */
export function headerProblem(header: FrameHeader | undefined): SemlinkError | undefined {
  if (!header) return invalidArgument('header', undefined, 'every frame needs a header with link_id and sequence');
  if (!linkIdPattern.test(header.linkId)) {
    return invalidArgument('link_id', header.linkId, 'use 1 to 64 characters of A-Z a-z 0-9 . _ : -');
  }
  if (header.captureTimeUnixNano <= 0n) {
    return invalidArgument('capture_time_unix_nano', 0n, 'set the time of capture, nanoseconds since the Unix epoch');
  }
  if (header.traceparent !== '' && !traceparentPattern.test(header.traceparent)) {
    return invalidArgument(
      'traceparent',
      header.traceparent,
      'use the W3C form 00-<32 hex>-<16 hex>-<2 hex>, or leave it empty',
    );
  }
  if (header.trueLabel !== undefined && header.trueLabel > largestLabel) {
    return invalidArgument('true_label', header.trueLabel, `use 0 to ${largestLabel}, or leave it out`);
  }
  if (!modelVersionPattern.test(header.modelVersion)) {
    return invalidArgument('model_version', header.modelVersion, 'use up to 128 characters of A-Z a-z 0-9 . _ -');
  }
  return undefined;
}
