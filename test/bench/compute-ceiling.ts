import path from 'node:path';
import { graphPorts, openModel, type Role, SHIPPED_MODELS } from '../../shared/codec/model-folder.js';
import { modelSource } from '../../shared/codec/model-source.js';
import { availableCores } from '../../shared/tensor/cores.js';
import { Engine, type EngineModel } from '../../shared/tensor/engine.js';

/** What the arithmetic of a model alone costs: encoder and decoder in threads of this process, nothing else. */
export class ComputeCeiling {
  readonly #engine: Engine;
  readonly #encoder: EngineModel;
  readonly #decoder: EngineModel;

  private constructor(engine: Engine, encoder: EngineModel, decoder: EngineModel) {
    this.#engine = engine;
    this.#encoder = encoder;
    this.#decoder = decoder;
  }

  static async open(version: string, models = SHIPPED_MODELS): Promise<ComputeCeiling> {
    const model = await openModel(path.join(models, version));
    const engine = new Engine({ threads: 1, instances: availableCores() });
    const load = async (role: Role) =>
      engine.load(await modelSource(model, role, 'onnxruntime'), graphPorts(model.manifest.network, role));
    return new ComputeCeiling(engine, await load('encoder'), await load('decoder'));
  }

  /** Images a second in batches of `batch` on every core. */
  async measure(batch: number, seconds: number): Promise<number> {
    const start = performance.now();
    const end = start + seconds * 1e3;
    let images = 0;
    const run = async (): Promise<void> => {
      while (performance.now() < end) {
        for (const model of [this.#encoder, this.#decoder]) {
          const inputs = model.inputs(batch);
          inputs.at(-1)!.fill(8);
          await model.run(batch, inputs);
        }
        images += batch;
      }
    };
    await Promise.all(Array.from({ length: this.#encoder.parallel }, run));
    return images / ((performance.now() - start) / 1e3);
  }

  close(): Promise<void> {
    return this.#engine.close();
  }
}
