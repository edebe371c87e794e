import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';

/** What one GPU is doing. */
export interface GpuReading {
  /** Its index on this machine. */
  readonly gpu: string;
  readonly memoryUsedBytes: number;
  /** Share of the last moments in which it computed, 0 to 1. */
  readonly busy: number;
}

/** Asks for readings; the answer is one line a GPU: index, MiB used, per cent busy. */
export type AskGpus = () => Promise<string>;

const run = promisify(execFile);

/** How old a reading may get before the next is taken, ms. */
const MAX_AGE_MS = 2_000;

/** Whether this machine shows an NVIDIA GPU to this process. */
export function gpuIsVisible(): boolean {
  const { CUDA_VISIBLE_DEVICES: visible } = process.env;
  if (visible === '' || visible === '-1') return false;
  return ['/dev/nvidiactl', '/dev/dxg'].some((device) => existsSync(device));
}

/**
 * What the GPUs of this machine are doing. `nvidia-smi` takes a tenth of a second and more, so nobody waits for it: who
 * looks gets the reading before, and the next one is taken meanwhile. Without the program there are no readings.
 */
export class GpuWatch {
  readonly #ask: AskGpus;
  #readings: readonly GpuReading[] = [];
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(ask: AskGpus = askNvidiaSmi) {
    this.#ask = ask;
    void this.refresh();
  }

  /** The latest reading of each GPU. */
  readings(): readonly GpuReading[] {
    if (performance.now() - this.#askedAt > MAX_AGE_MS) void this.refresh();
    return this.#readings;
  }

  /** Takes a reading; resolves when it is there, and also when there is none to be had. */
  refresh(): Promise<void> {
    this.#asking ??= this.#ask()
      .then(
        (text) => {
          this.#readings = readingsOf(text);
        },
        () => {
          this.#readings = [];
        },
      )
      .finally(() => {
        this.#askedAt = performance.now();
        this.#asking = undefined;
      });
    return this.#asking;
  }
}

async function askNvidiaSmi(): Promise<string> {
  const query = ['--query-gpu=index,memory.used,utilization.gpu', '--format=csv,noheader,nounits'];
  const { stdout } = await run('nvidia-smi', query, { timeout: 10_000 });
  return stdout;
}

/** Lines such as `0, 1024, 35`; what a driver does not tell ("[N/A]") makes no reading. */
function readingsOf(text: string): GpuReading[] {
  return text.split('\n').flatMap((line) => {
    const [gpu = '', mebibytes, percent] = line.split(',').map((part) => part.trim());
    const memoryUsedBytes = Number(mebibytes) * 1024 * 1024;
    const busy = Number(percent) / 100;
    return /^\d+$/.test(gpu) && Number.isFinite(memoryUsedBytes) && Number.isFinite(busy)
      ? [{ gpu, memoryUsedBytes, busy }]
      : [];
  });
}
