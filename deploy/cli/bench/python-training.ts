import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { projectRoot } from '../../../shared/build/compiled.js';

const SCRIPT = path.join(projectRoot, 'test', 'bench', 'tensorflow_training.py');
/** Of its standard error that are shown when it ends by itself. */
const LAST_LINES = 3;

export interface PythonReady {
  /** Trained numbers of the network it has built. */
  readonly parameters: number;
  /** Version of its TensorFlow. */
  readonly tensorflow: string;
  readonly gpu: boolean;
}

export interface PythonMeasurement {
  readonly seconds: number;
  readonly processor_seconds: number;
  /** Cross-entropy of the last batch, nats. */
  readonly task: number;
}

/** The training step in Python TensorFlow, in a process that waits between measurements. */
export class PythonTraining {
  readonly ready: PythonReady;
  readonly #child: ChildProcess;
  readonly #ask: (message: unknown) => Promise<unknown>;

  private constructor(child: ChildProcess, ask: (message: unknown) => Promise<unknown>, ready: PythonReady) {
    this.#child = child;
    this.#ask = ask;
    this.ready = ready;
  }

  /**
   * @param python interpreter with TensorFlow (test/bench/requirements.txt)
   * @param job first line that the script reads
   * @throws Error with what Python said when it cannot be started, lacks TensorFlow or fails
   */
  static async start(python: string, job: unknown): Promise<PythonTraining> {
    const child = spawn(python, [SCRIPT], { stdio: ['pipe', 'pipe', 'pipe'] });
    const said: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.trim() !== '') said.push(line.trim());
      if (said.length > LAST_LINES) said.shift();
    });
    // A write to a process that has ended fails by an event; that it has ended is told below.
    child.stdin.on('error', () => {});
    const ended = new Promise<never>((_, reject) => {
      child.once('error', (cause) =>
        reject(new Error(`--python ${python} cannot be started: ${cause.message}`, { cause })),
      );
      child.once('close', (code, signal) =>
        reject(
          new Error(
            `--python ${python}: the training script ended (${code ?? signal}): ${said.join(' / ')}; ` +
              'it needs the packages of test/bench/requirements.txt',
          ),
        ),
      );
    });
    ended.catch(() => {});
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ask = async (message: unknown): Promise<unknown> => {
      child.stdin.write(`${JSON.stringify(message)}\n`);
      const { value } = await Promise.race([lines.next().then((line) => (line.done ? ended : line)), ended]);
      return JSON.parse(value as string);
    };
    return new PythonTraining(child, ask, (await ask(job)) as PythonReady);
  }

  /** Trains for some steps. */
  async advance(steps: number): Promise<PythonMeasurement> {
    return (await this.#ask({ steps })) as PythonMeasurement;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, 'close');
    this.#child.stdin!.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await closed;
    clearTimeout(timer);
  }
}
