import { createHash } from 'node:crypto';
import {
  GRPCInferenceService,
  type InferTensorContents,
  type ModelInferResponse,
  type ModelMetadataResponse,
} from '../../shared/gen/inference/grpc_service_pb.js';
import { createRpcClient } from '../../shared/rpc/client.js';
import { toSemlinkError } from '../../shared/rpc/errors.js';
import type { ModelBackend, ModelTensors } from './teacher.js';

/** A large model on a busy server takes its time. */
const CALL_MS = 120_000;
const METADATA_MS = 10_000;
/** Of a batch of images of 224 x 224 as float32. */
const MOST_MESSAGE_BYTES = 256 * 1024 ** 2;

/**
 * A model on a server that speaks the Open Inference Protocol over gRPC. Its weights cannot be seen: its checksum is that
 * of its name, versions, platform and tensors as the server tells them, so give a retrained model a new version.
 *
 * @throws Error with a sentence when the server cannot be reached, or has not this model with these tensors
 */
export async function openModelServer(
  { address, model, version }: { readonly address: string; readonly model: string; readonly version: string },
  tensors: ModelTensors,
): Promise<ModelBackend> {
  const client = createRpcClient(GRPCInferenceService, { address, maxMessageBytes: MOST_MESSAGE_BYTES });
  const where = `model ${model} at ${address}`;
  const failed = (error: unknown): Error => new Error(`${where}: ${toSemlinkError(error).message}`, { cause: error });
  let metadata: ModelMetadataResponse;
  try {
    metadata = await client.modelMetadata({ name: model, version }, { deadlineMs: METADATA_MS });
    const { ready } = await client.modelReady({ name: model, version }, { deadlineMs: METADATA_MS });
    if (!ready) throw new Error(`${where} is not ready`);
    requireTensor(where, 'input', tensors.input, metadata.inputs);
    const outputs = [tensors.output, ...(tensors.features === undefined ? [] : [tensors.features])];
    for (const name of outputs) requireTensor(where, 'output', name, metadata.outputs);
  } catch (error) {
    client.close();
    throw error instanceof Error && error.message.startsWith(where) ? error : failed(error);
  }
  return {
    sha256: metadataSha256(metadata, version),
    async run(input, shape) {
      const response = await client
        .modelInfer(
          {
            modelName: model,
            modelVersion: version,
            inputs: [{ name: tensors.input, datatype: 'FP32', shape: shape.map(BigInt) }],
            outputs: [
              { name: tensors.output },
              ...(tensors.features === undefined ? [] : [{ name: tensors.features }]),
            ],
            rawInputContents: [new Uint8Array(input.buffer, input.byteOffset, input.byteLength)],
          },
          { deadlineMs: CALL_MS },
        )
        .catch((error: unknown) => {
          throw failed(error);
        });
      return {
        output: valuesOf(where, response, tensors.output),
        ...(tensors.features !== undefined && { features: valuesOf(where, response, tensors.features) }),
      };
    },
    close: async () => client.close(),
  };
}

function requireTensor(
  where: string,
  side: string,
  name: string,
  there: readonly { readonly name: string; readonly datatype: string }[],
): void {
  const tensor = there.find((one) => one.name === name);
  if (!tensor)
    throw new Error(`${where} has no ${side} "${name}"; there are ${there.map((one) => one.name).join(', ')}`);
  if (tensor.datatype !== 'FP32') throw new Error(`${where}: ${side} "${name}" is ${tensor.datatype}; FP32 is needed`);
}

/** Servers answer in raw bytes or in typed contents, whichever they like. */
function valuesOf(where: string, response: ModelInferResponse, name: string): Float32Array {
  const index = response.outputs.findIndex((output) => output.name === name);
  const output = response.outputs[index];
  if (!output) throw new Error(`${where} answered without "${name}"`);
  const raw = response.rawOutputContents[index];
  const values = raw ? floatsOf(raw) : contents(output.contents);
  const expected = output.shape.reduce((product, size) => product * Number(size), 1);
  if (output.datatype !== 'FP32' || values.length !== expected) {
    throw new Error(
      `${where} gave "${name}" as ${values.length} values of ${output.datatype}; ${expected} of FP32 are due`,
    );
  }
  return values;
}

function contents(typed: InferTensorContents | undefined): Float32Array {
  return Float32Array.from(typed?.fp32Contents ?? []);
}

/** Copied, for a view of the message need not be aligned. */
function floatsOf(raw: Uint8Array): Float32Array {
  return new Float32Array(raw.slice().buffer, 0, Math.floor(raw.length / 4));
}

function metadataSha256(metadata: ModelMetadataResponse, version: string): string {
  const tensors = (side: ModelMetadataResponse['inputs']) =>
    side.map(({ name, datatype, shape }) => ({ name, datatype, shape: shape.map(String) }));
  const { name, versions, platform } = metadata;
  const seen = {
    name,
    version,
    versions,
    platform,
    inputs: tensors(metadata.inputs),
    outputs: tensors(metadata.outputs),
  };
  return createHash('sha256').update(JSON.stringify(seen)).digest('hex');
}
