import { parentPort } from 'node:worker_threads';
import type { BatchInputs } from './input-pool.js';
import { OnnxSession } from './onnx-session.js';
import { type Device, ModelSession, type SessionPorts } from './session.js';

/** A model to load: the folder of a TensorFlow SavedModel, or the content of an ONNX file. */
export type EngineSource = string | Uint8Array;

/** Asks of the engine's thread; each is answered once, in order. */
export type EngineRequest =
  | { id: number; kind: 'load'; source: EngineSource; ports: SessionPorts; threads: number }
  | { id: number; kind: 'run'; session: number; batch: number; inputs: BatchInputs };

export type EngineAnswer =
  | { id: number; session: number; device: Device }
  | { id: number; output: Float32Array; seconds: number; inputs: BatchInputs; tensorsAlive: number }
  | { id: number; error: string };

const port = parentPort;
if (!port) throw new Error('engine-worker runs as a worker thread of engine.ts');
const sessions: (ModelSession | OnnxSession)[] = [];
let last: Promise<void> = Promise.resolve();

port.on('message', (request: EngineRequest) => {
  last = last.then(() => answer(request));
});

async function answer(request: EngineRequest): Promise<void> {
  const { id } = request;
  try {
    if (request.kind === 'load') {
      const session = await open(request);
      sessions.push(session);
      const device = session instanceof ModelSession ? session.device : 'cpu';
      port!.postMessage({ id, session: sessions.length - 1, device } satisfies EngineAnswer);
      return;
    }
    const start = performance.now();
    const { batch, inputs } = request;
    const output = await sessions[request.session]!.run(batch, inputs);
    const seconds = (performance.now() - start) / 1e3;
    const { tensorsAlive } = ModelSession;
    // The inputs go back to be used again.
    const transfer = [output, ...inputs].map(({ buffer }) => buffer as ArrayBuffer);
    port!.postMessage({ id, output, seconds, inputs, tensorsAlive } satisfies EngineAnswer, transfer);
  } catch (error) {
    port!.postMessage({ id, error: (error as Error).message } satisfies EngineAnswer);
  }
}

function open({ source, ports, threads }: Extract<EngineRequest, { kind: 'load' }>) {
  if (typeof source === 'string') return new ModelSession(source, ports);
  return OnnxSession.open(source, ports, threads);
}
