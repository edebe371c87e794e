/** A model server that speaks the Open Inference Protocol, slow where a test wants it. */
import { create } from '@bufbuild/protobuf';
import {
  GRPCInferenceService,
  ModelInferResponseSchema,
  ModelMetadataResponseSchema,
  ModelReadyResponseSchema,
} from '../../shared/gen/inference/grpc_service_pb.js';
import { implementService } from '../../shared/rpc/adapter.js';
import { startServer } from '../../shared/rpc/server.js';

export interface ModelServer {
  readonly address: string;
  /** Images it has seen. */
  images: number;
  /** Waits so long before each answer, ms. */
  delayMs: number;
  stop(): Promise<unknown>;
}

/** Gives ten logits that are sums over parts of the image. */
export async function startModelServer(): Promise<ModelServer> {
  const state = { images: 0, delayMs: 0 };
  const tensor = (name: string) => ({ name, datatype: 'FP32', shape: [-1n] });
  const service = implementService(GRPCInferenceService, {
    modelReady: () => create(ModelReadyResponseSchema, { ready: true }),
    modelMetadata: ({ name }) =>
      create(ModelMetadataResponseSchema, { name, inputs: [tensor('x')], outputs: [tensor('logits')] }),
    modelInfer: async ({ modelName, inputs, rawInputContents }) => {
      const count = Number(inputs[0]!.shape[0]);
      const input = new Float32Array(rawInputContents[0]!.slice().buffer);
      const size = input.length / count;
      const logits = new Float32Array(count * 10);
      for (let i = 0; i < input.length; i++) logits[10 * Math.floor(i / size) + ((i % size) % 10)]! += input[i]! / 40;
      state.images += count;
      await new Promise((resolve) => setTimeout(resolve, state.delayMs));
      return create(ModelInferResponseSchema, {
        modelName,
        outputs: [{ name: 'logits', datatype: 'FP32', shape: [BigInt(count), 10n] }],
        rawOutputContents: [new Uint8Array(logits.buffer)],
      });
    },
  });
  const server = await startServer({ role: 'model-server', listen: '127.0.0.1:0', services: [service] });
  return Object.assign(state, { address: server.address, stop: () => server.drain() });
}
