import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { graphPorts } from '../../shared/codec/model-folder.js';
import type { NetworkSpec } from '../../shared/codec/network.js';
import { decoderGraph, encoderGraph } from '../../shared/codec/network-graph.js';
import type { Weights } from '../../shared/codec/weights.js';
import { ModelSession } from '../../shared/tensor/session.js';

/** The two frozen graphs of a set of weights, loaded from a temporary folder. */
export class FrozenPair {
  readonly encoder: ModelSession;
  readonly decoder: ModelSession;

  private constructor(encoder: ModelSession, decoder: ModelSession) {
    this.encoder = encoder;
    this.decoder = decoder;
  }

  /** Freezes weights exactly as publishing does, so that what is judged is what would be served. */
  static async of(spec: NetworkSpec, weights: Weights): Promise<FrozenPair> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'semlink-frozen-'));
    try {
      const sessions = await Promise.all(
        (['encoder', 'decoder'] as const).map(async (role) => {
          const graph = role === 'encoder' ? encoderGraph(spec, weights) : decoderGraph(spec, weights);
          await mkdir(path.join(folder, role));
          await writeFile(path.join(folder, role, 'saved_model.pb'), graph);
          return new ModelSession(path.join(folder, role), graphPorts(spec, role));
        }),
      );
      return new FrozenPair(sessions[0]!, sessions[1]!);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  dispose(): void {
    this.encoder.dispose();
    this.decoder.dispose();
  }
}
