import { create } from '@bufbuild/protobuf';
import { policyMessage } from '../../../shared/client/policy.js';
import type { RatePolicy } from '../../../shared/codec/rate-control.js';
import { type TransmitRequest, TransmitRequestSchema } from '../../../shared/gen/semlink/v1/transmitter_encoder_pb.js';
import { codecOf } from '../../../shared/rpc/wire/compile.js';

/** What every image of a load is like. */
export interface LoadImages {
  width: number;
  height: number;
  modelVersion: string;
}

/** Stands for the time of capture while a message is made; no other eight bytes of it are these. */
const MARK = 0x5eed_c10c_5eed_c10cn;

/**
 * A request with some images, made once and sent again and again: only its times of capture change. A message is free
 * to be sent again when all its images have been answered, so sequences may repeat.
 */
export class LoadMessage {
  readonly #bytes: Buffer;
  /** Where the times of capture are. */
  readonly #times: number[] = [];

  /** @param first sequence of the first image */
  constructor(linkId: string, first: number, count: number, images: LoadImages) {
    const { width, height, modelVersion } = images;
    const frames = Array.from({ length: count }, (_, i) => ({
      header: { linkId, sequence: BigInt(first + i), captureTimeUnixNano: MARK, modelVersion },
      width,
      height,
      rgb: noise(width * height * 3, first + i),
    }));
    const mark = Buffer.alloc(8);
    mark.writeBigUInt64LE(MARK);
    this.#bytes = codecOf(TransmitRequestSchema).encode(create(TransmitRequestSchema, { frames }));
    for (let at = this.#bytes.indexOf(mark); at >= 0; at = this.#bytes.indexOf(mark, at + 8)) this.#times.push(at);
  }

  /** The message with this time of capture, nanoseconds since the Unix epoch; the same buffer each time. */
  at(unixNano: bigint): Buffer {
    for (const offset of this.#times) this.#bytes.writeBigUInt64LE(unixNano, offset);
    return this.#bytes;
  }
}

/** A request that only sets the policy of a link. */
export function policyRequest(linkId: string, policy: RatePolicy): Buffer {
  const request: TransmitRequest = create(TransmitRequestSchema, { policies: [policyMessage(linkId, policy)] });
  return codecOf(TransmitRequestSchema).encode(request);
}

/** Random bytes, the same for the same seed, none of them like `MARK`: 0 to 92 only. */
function noise(length: number, seed: number): Uint8Array {
  let state = (seed + 1) >>> 0;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 24) % 93;
  });
}
