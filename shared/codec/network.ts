/**
 * The codec's networks, written once over an abstract set of operations. Three interpreters run them: training
 * (services/distiller), the frozen graph that is served (network-graph.ts) and the cost count (network-cost.ts), so
 * what is trained, what is served and what is counted cannot drift apart.
 */

/** Operations on batched values; dimension 0 of every value is the batch. Binary operations broadcast. */
export interface NetworkOps<T> {
  /** 2-D convolution, SAME padding, without bias, followed by batch normalisation. NHWC. */
  convNorm(x: T, name: string, shape: { filters: number; kernel: number; stride: number }): T;
  /** x W + b. `gain` scales the initial weights; `bias` is the initial bias. */
  dense(x: T, name: string, units: number, initial?: { gain?: number; bias?: number }): T;
  relu(x: T): T;
  sigmoid(x: T): T;
  add(a: T, b: T): T;
  mul(a: T, b: T): T;
  /** a x + b. */
  affine(x: T, a: number, b: number): T;
  clip(x: T, low: number, high: number): T;
  log(x: T): T;
  sqrt(x: T): T;
  rsqrt(x: T): T;
  /** Sum over the given axes, kept as size 1. */
  sum(x: T, axes: number[]): T;
  concat(xs: T[]): T;
  /** New shape behind the batch dimension. */
  reshape(x: T, shape: number[]): T;
  /** [N, H, W, C] to [N, C]. */
  globalAverage(x: T): T;
  /** 1 where index < count, else 0: count [N, 1] to [N, length]. */
  prefixMask(count: T, length: number): T;
}

/** Sizes of one codec. */
export interface NetworkSpec {
  /** Input size in pixels; 3 channels R, G, B. */
  width: number;
  height: number;
  classes: number;
  /** Channels of the encoder's three stages, at 1/2, 1/4 and 1/8 of the input size. */
  stages: [number, number, number];
  /** Symbols of the longest message. */
  maxChannelUses: number;
  /** Units of the hidden layers that condition on the channel. */
  conditionUnits: number;
  /** Units of the decoder's hidden layers. */
  decoderUnits: number;
  /** Without the channel adaptive module: symbols that know neither SNR nor length. For comparison only. */
  unadapted?: boolean | undefined;
}

/** SNR range in dB that the networks are conditioned on; values outside are clipped to it. */
export const CONDITION_SNR_DB = { low: -12, high: 26 } as const;

/** [N, conditionUnits] features of the channel: SNR in dB [N, 1] and the number of channel uses k [N, 1]. */
function channelFeatures<T>(ops: NetworkOps<T>, name: string, units: number, snrDb: T, k: T): T {
  const snr = ops.affine(ops.clip(snrDb, CONDITION_SNR_DB.low, CONDITION_SNR_DB.high), 1 / 10, -0.7);
  const length = ops.affine(ops.log(k), 1 / (2 * Math.LN2), -1.5);
  const hidden = ops.relu(ops.dense(ops.concat([snr, length]), `${name}/1`, units));
  return ops.relu(ops.dense(hidden, `${name}/2`, units));
}

/**
 * Image features before any adaptation.
 *
 * @param rgb [N, H, W, 3], 0 to 255
 * @returns [N, stages[2]]
 */
export function imageFeatures<T>(ops: NetworkOps<T>, spec: NetworkSpec, rgb: T): T {
  const block = (x: T, name: string, filters: number): T => {
    const inner = ops.relu(ops.convNorm(x, `${name}/1`, { filters, kernel: 3, stride: 1 }));
    return ops.relu(ops.add(x, ops.convNorm(inner, `${name}/2`, { filters, kernel: 3, stride: 1 })));
  };
  const down = (x: T, name: string, filters: number, kernel: number): T =>
    ops.relu(ops.convNorm(x, name, { filters, kernel, stride: 2 }));
  const [a, b, c] = spec.stages;
  // The first layer already halves the resolution: with 4 x 4 kernels it loses little and saves the next ones 3/4.
  let x = down(ops.affine(rgb, 1 / 64, -1.9), 'encoder/stem', a, 4);
  x = block(x, 'encoder/a', a);
  x = block(down(x, 'encoder/b/down', b, 3), 'encoder/b', b);
  x = block(down(x, 'encoder/c/down', c, 3), 'encoder/c', c);
  return ops.globalAverage(x);
}

/** What the channel adaptive module weighs: features, and symbols among those `sent`. */
function adaptation<T>(ops: NetworkOps<T>, spec: NetworkSpec, features: T, sent: T, channel: T) {
  // The weights depend on X0 as well: a hard image may need another allocation than an easy one.
  const condition = ops.concat([channel, ops.relu(ops.dense(features, 'encoder/context', spec.conditionUnits))]);
  const gate = (name: string, units: number) =>
    ops.sigmoid(ops.dense(condition, `encoder/gate/${name}`, units, { gain: 0.1, bias: 1 }));
  return {
    features: ops.mul(features, gate('features', spec.stages[2])),
    weights: ops.mul(gate('symbols', spec.maxChannelUses), sent),
  };
}

/**
 * Symbols of an image, adapted to the channel (the channel adaptive module of arXiv 2506.13243: X = w * X0 with
 * w = Phi(X0, SNR), here conditioned on the message length k too).
 *
 * @param features [N, stages[2]] of `imageFeatures`
 * @param snrDb [N, 1] average Es/N0 in dB as fed back
 * @param k [N, 1] channel uses, 1 to maxChannelUses
 * @returns [N, maxChannelUses, 2] as I, Q; zero from symbol k on; (1/k) sum |s_i|^2 = 1 for each image by itself
 */
export function symbolsOf<T>(ops: NetworkOps<T>, spec: NetworkSpec, features: T, snrDb: T, k: T): T {
  const length = spec.maxChannelUses;
  const sent = ops.prefixMask(k, length);
  const adapted = spec.unadapted
    ? { features, weights: sent }
    : adaptation(ops, spec, features, sent, channelFeatures(ops, 'encoder/channel', spec.conditionUnits, snrDb, k));
  const x0 = ops.dense(adapted.features, 'encoder/symbols', 2 * length);
  const kept = ops.reshape(adapted.weights, [length, 1]);
  const x = ops.mul(ops.reshape(x0, [length, 2]), kept);
  const energy = ops.affine(ops.sum(ops.mul(x, x), [1, 2]), 1, 1e-9);
  return ops.mul(x, ops.reshape(ops.mul(ops.sqrt(k), ops.rsqrt(ops.reshape(energy, [1]))), [1, 1]));
}

/**
 * Class scores from received symbols.
 *
 * @param symbols [N, maxChannelUses, 2] after the equaliser (equaliser.ts), zero from symbol k on
 * @param snrDb [N, 1] the frame's own |h|^2 / N0 in dB
 * @param k [N, 1] channel uses
 * @returns [N, classes] logits
 */
export function classScores<T>(ops: NetworkOps<T>, spec: NetworkSpec, symbols: T, snrDb: T, k: T): T {
  const channel = channelFeatures(ops, 'decoder/channel', spec.conditionUnits, snrDb, k);
  const flat = ops.reshape(symbols, [2 * spec.maxChannelUses]);
  const gate = ops.sigmoid(ops.dense(channel, 'decoder/gate', spec.decoderUnits, { gain: 0.1, bias: 1 }));
  const mixed = ops.add(
    ops.dense(flat, 'decoder/1', spec.decoderUnits),
    ops.dense(channel, 'decoder/shift', spec.decoderUnits),
  );
  const hidden = ops.mul(ops.relu(mixed), gate);
  const deeper = ops.relu(ops.dense(hidden, 'decoder/2', spec.decoderUnits));
  return ops.dense(ops.add(hidden, deeper), 'decoder/classes', spec.classes);
}
