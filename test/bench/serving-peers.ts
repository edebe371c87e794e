/** Chains of other makes that a link is measured beside: how they are started, and loaded by a generator of their own. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { usageOf } from '../../deploy/cli/bench/process-usage.js';

/** One measurement of a chain under one load. */
export interface PeerMeasurement {
  imagesPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Processor time of its processes, microseconds an image; warm-up and end included. */
  serviceUs: number;
}

/** A chain that runs. */
export interface Peer {
  name: string;
  measure(perMessage: number, inFlight: number, streams: number, seconds: number): Promise<PeerMeasurement>;
}

/** Chains that the folder may hold: grpc.aio with ONNX Runtime in three processes, NVIDIA Triton's ensemble. */
export const PEERS = ['ort-naive', 'ort2-naive', 'triton-chain', 'triton-chain2'] as const;

const STAGES = ['rx', 'ch', 'tx'] as const;
const START_LIMIT_MS = 120_000;
/** Time under the same load before each measurement. */
export const WARM_SECONDS = 0.5;

/** Starts chains and ends them. */
export class ServingPeers {
  readonly #folder: string;
  readonly #processes: ChildProcess[] = [];
  readonly #log: number;
  #triton: { address: string; process: ChildProcess } | undefined;
  #port: number;

  /** @param folder what the head of link-peers.ts says; `log` takes what the chains write */
  constructor(folder: string, log: string, firstPort = 23_000) {
    this.#folder = folder;
    this.#log = openSync(log, 'a');
    this.#port = firstPort;
    for (const file of ['bin/lg', 'v-main/bin/python', 'peerA/stage.py']) {
      if (!existsSync(this.#at(file))) throw new Error(`${folder} has no ${file}: see the head of link-peers.ts`);
    }
  }

  async start(name: string): Promise<Peer> {
    if (name.startsWith('triton-')) {
      await this.#tritonNow();
      return this.#peer(name, () => this.#tritonNow(), ['-triton', name.slice('triton-'.length)]);
    }
    const [engine, mode] = name.split('-') as [string, string];
    const pids: number[] = [];
    let next: string[] = [];
    for (const role of STAGES) {
      const port = this.#port++;
      const stage = [this.#at('peerA/stage.py'), '--role', role, '--port', String(port), '--engine', engine];
      const { pid } = await this.#spawn(this.#at('v-main/bin/python'), [...stage, '--mode', mode, ...next], port);
      pids.push(pid!);
      next = ['--next', `127.0.0.1:${port}`];
    }
    return this.#peer(name, async () => ({ address: next[1]!, pids }), []);
  }

  stop(): void {
    for (const child of this.#processes) child.kill();
  }

  #peer(name: string, running: () => Promise<{ address: string; pids: number[] }>, flags: string[]): Peer {
    return {
      name,
      measure: async (perMessage, inFlight, streams, seconds) => {
        const { address, pids } = await running();
        const before = usageOf(pids).processorSeconds;
        const args = ['load', '-addr', address, '-n', String(perMessage), '-window', String(inFlight)];
        args.push('-streams', String(streams), '-secs', String(seconds), '-warm', String(WARM_SECONDS), ...flags);
        const { stdout } = await promisify(execFile)(this.#at('bin/lg'), args);
        const result = JSON.parse(stdout) as Record<'images_s' | 'p50_ms' | 'p99_ms' | 'total_images', number>;
        const spent = usageOf(pids).processorSeconds - before;
        return {
          imagesPerSecond: result.images_s,
          p50Ms: result.p50_ms,
          p99Ms: result.p99_ms,
          serviceUs: (spent / Math.max(1, result.total_images)) * 1e6,
        };
      },
    };
  }

  /** Triton as it runs, or anew: with many streams it sometimes dies of a segmentation fault. */
  async #tritonNow(): Promise<{ address: string; pids: number[] }> {
    if (!this.#triton || hasEnded(this.#triton.process)) {
      const port = this.#port++;
      const process = await this.#spawn(this.#at('peerB/server.sh'), [String(port)], port);
      this.#triton = { address: `127.0.0.1:${port}`, process };
    }
    return { address: this.#triton.address, pids: [this.#triton.process.pid!] };
  }

  async #spawn(program: string, args: string[], port: number): Promise<ChildProcess> {
    const child = spawn(program, args, { stdio: ['ignore', this.#log, this.#log] });
    this.#processes.push(child);
    for (const until = performance.now() + START_LIMIT_MS; performance.now() < until; ) {
      if (hasEnded(child)) throw new Error(`${program} ended (${child.exitCode}); its log says why`);
      if (await isOpen(port)) return child;
      await wait(100);
    }
    throw new Error(`${program} did not open port ${port} in time`);
  }

  #at = (name: string) => path.join(this.#folder, name);
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
