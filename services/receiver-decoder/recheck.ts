import { LinkRandom, Purpose } from '../../shared/channel/link-random.js';
import type { FrameHeader } from '../../shared/gen/semlink/v1/frame_pb.js';
import { FrameSampler, type ServiceMetrics } from '../../shared/telemetry/index.js';
import type { Decoded, DecodeJob } from './symbol-codec.js';

/** A served model, as far as it is needed here. */
export interface Decoder {
  submit(
    job: DecodeJob,
    done: (decoded: { result: Decoded } | undefined, error: Error | undefined) => void,
    source: { linkId: string },
  ): void;
}

/**
 * A second look at some frames, for links whose images have no labels: the frame is decoded again as if its channel were
 * 3 dB worse, and whether the answer is the same is counted. An answer that half the signal-to-noise ratio would change is
 * one that the noise at hand could have changed; where the share of those rises, accuracy falls.
 */
export class Recheck {
  readonly #metrics: ServiceMetrics;
  readonly #sampler: FrameSampler;

  /** @param share of frames that are looked at again, 0 to 1 */
  constructor(metrics: ServiceMetrics, share: number) {
    this.#metrics = metrics;
    this.#sampler = new FrameSampler(metrics.enabled ? share : 0);
  }

  /**
   * Looks at a frame again if it is of the sample. Real frames go first: where the queue has no room the look is given up.
   *
   * @param position symbols that the link had carried before the frame
   * @param label the frame's answer
   */
  look(model: Decoder, { linkId, sequence }: FrameHeader, job: DecodeJob, position: bigint, label: number): void {
    if (!this.#sampler.takes(linkId, sequence)) return;
    const give = (decoded: { result: Decoded } | undefined): void => {
      if (decoded) this.#metrics.meaning.recheck(linkId, decoded.result.label === label);
      else this.#metrics.countDropped('recheck');
    };
    try {
      model.submit(worseView(job, linkId, Number(position)), give, { linkId });
    } catch {
      give(undefined);
    }
  }
}

/**
 * The same frame over a channel 3 dB worse: noise of the same power again, so y' = y + n' with n' ~ CN(0, N0), of which
 * the decoder is told 2 N0. The noise follows from link and position, the same in every run, and from no channel's seed.
 */
export function worseView({ received, channel }: DecodeJob, linkId: string, position: number): DecodeJob {
  const { noisePower } = channel;
  const worse = new Float32Array(received.length);
  const perDimension = Math.sqrt(noisePower / 2);
  new LinkRandom(0n, linkId).addComplexNormals(received, worse, Purpose.recheck, position, perDimension);
  return { received: worse, channel: { ...channel, noisePower: 2 * noisePower } };
}
