import { parentPort } from 'node:worker_threads';
import { ModelSession, type SessionPorts } from './session.js';

/** Asks of the engine's thread; each is answered once, in order. */
export type EngineRequest =
  | { id: number; kind: 'load'; folder: string; ports: SessionPorts }
  | { id: number; kind: 'run'; session: number; batch: number; inputs: (Float32Array | Uint8Array)[] };

export type EngineAnswer =
  | { id: number; session: number }
  | { id: number; output: Float32Array; seconds: number }
  | { id: number; error: string };

const port = parentPort;
if (!port) throw new Error('engine-worker runs as a worker thread of engine.ts');
const sessions: ModelSession[] = [];

port.on('message', (request: EngineRequest) => {
  try {
    if (request.kind === 'load') {
      sessions.push(new ModelSession(request.folder, request.ports));
      port.postMessage({ id: request.id, session: sessions.length - 1 } satisfies EngineAnswer);
      return;
    }
    const start = performance.now();
    const output = sessions[request.session]!.run(request.batch, request.inputs);
    const seconds = (performance.now() - start) / 1e3;
    port.postMessage({ id: request.id, output, seconds } satisfies EngineAnswer, [output.buffer as ArrayBuffer]);
  } catch (error) {
    port.postMessage({ id: request.id, error: (error as Error).message } satisfies EngineAnswer);
  }
});
