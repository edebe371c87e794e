import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { readSafetensors } from '../tensor/safetensors.js';
import { DataType } from '../tensor/saved-model.js';
import { ModelSession } from '../tensor/session.js';
import { graphFolder, graphPorts, type PublishedModel } from './model-folder.js';
import { encoderFeaturesNode } from './network-graph.js';

/**
 * A published encoder, cut where the image ends and the channel begins: nearly all of its work does not depend on SNR and
 * k, so many points over the same images need that work once. The graph is the one that is served, fed in its middle.
 */
export class StagedEncoder {
  readonly #whole: ModelSession;
  readonly #features: ModelSession | undefined;
  readonly #symbols: ModelSession | undefined;

  private constructor(whole: ModelSession, features?: ModelSession, symbols?: ModelSession) {
    this.#whole = whole;
    this.#features = features;
    this.#symbols = symbols;
  }

  /** @throws Error when TensorFlow is not set up or the model's files cannot be read */
  static async of(model: PublishedModel): Promise<StagedEncoder> {
    const folder = graphFolder(model, 'encoder');
    const { network } = model.manifest;
    const ports = graphPorts(network, 'encoder');
    const whole = new ModelSession(folder, ports);
    const weights = readSafetensors(await readFile(path.join(model.folder, 'weights.safetensors'))).tensors;
    const features = encoderFeaturesNode(network, weights);
    const [image, ...conditions] = ports.inputs;
    const between = { name: features.node, type: DataType.float32, shape: features.shape };
    const encoder = new StagedEncoder(
      whole,
      new ModelSession(folder, { inputs: [image!], output: features.node }),
      new ModelSession(folder, { inputs: [between, ...conditions], output: ports.output }),
    );
    const size = network.width * network.height * 3;
    const probe = Uint8Array.from({ length: size }, (_, i) => (i * 37) % 256);
    return encoder.#agrees(probe, network.maxChannelUses) ? encoder : new StagedEncoder(whole);
  }

  /** An older version may have named its graph's nodes otherwise: then the whole graph runs each time. */
  #agrees(rgb: Uint8Array, k: number): boolean {
    const condition = [Float32Array.of(3), Float32Array.of(k)];
    const whole = this.#whole.run(1, [rgb, ...condition]);
    try {
      const staged = this.#symbols!.run(1, [this.#features!.run(1, [rgb]), ...condition]);
      return staged.length === whole.length && staged.every((x, i) => Math.abs(x - whole[i]!) < 1e-4);
    } catch {
      return false;
    }
  }

  /** Whether the work that the points share is done once. */
  get staged(): boolean {
    return this.#features !== undefined;
  }

  /**
   * Prepares images.
   * @param rgb count * height * width * 3 bytes
   * @returns their symbols under a condition: [count, maxChannelUses, 2]
   */
  prepare(rgb: Uint8Array, count: number): (snrDb: number, channelUses: number) => Float32Array {
    const features = this.#features?.run(count, [rgb]);
    return (snrDb, channelUses) => {
      const condition = [new Float32Array(count).fill(snrDb), new Float32Array(count).fill(channelUses)];
      return features
        ? this.#symbols!.run(count, [features, ...condition])
        : this.#whole.run(count, [rgb, ...condition]);
    };
  }

  dispose(): void {
    for (const session of [this.#whole, this.#features, this.#symbols]) session?.dispose();
  }
}
