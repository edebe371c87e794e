import type { BatchCodec } from '../../shared/codec/served-models.js';

/** An image to encode. */
export interface EncodeJob {
  /** height * width * 3 bytes of the model's input size, R G B interleaved. */
  rgb: Uint8Array;
  /** Average Es/N0 in dB to adapt to. */
  snrDb: number;
  /** k, one of the model's lengths. */
  channelUses: number;
}

/** Images in, symbols out: 2k numbers, interleaved re and im, (1/k) sum |s_i|^2 = 1. */
export const imageCodec: BatchCodec<EncodeJob, Float32Array> = {
  role: 'encoder',
  bytesOf: (job) => job.rgb.length,
  gather: (jobs, { network }, [rgb, snrDb, channelUses]) => {
    const size = network.width * network.height * 3;
    for (let i = 0; i < jobs.length; i++) {
      const job = jobs[i]!;
      rgb!.set(job.rgb, i * size);
      snrDb![i] = job.snrDb;
      channelUses![i] = job.channelUses;
    }
  },
  result: (output, job) => output.subarray(0, 2 * job.channelUses),
  example: ({ network }) => ({
    rgb: new Uint8Array(network.width * network.height * 3),
    snrDb: 10,
    channelUses: network.maxChannelUses,
  }),
};
