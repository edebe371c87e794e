import { Backoff } from '../rpc/backoff.js';
import type { ServingMessage } from '../rpc/run-service.js';
import type { Logger } from '../telemetry/index.js';
import type { WorkerProcess } from './worker-process.js';
import type { WorkerRole } from './worker-role.js';

export interface WorkerPoolOptions {
  readonly roles: readonly WorkerRole[];
  readonly start: (role: WorkerRole) => WorkerProcess;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** Delays before a worker that ended is started again, milliseconds. Default 250 to 30,000, doubling. */
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number };
  /** A worker that has served for so long starts over with the shortest delay, milliseconds. Default 30,000. */
  readonly steadyMs?: number;
}

/** One worker as it is now. */
export interface WorkerState {
  readonly index: number;
  readonly pid: number | undefined;
  /** Where it serves; undefined while it does not. */
  readonly serving: ServingMessage | undefined;
  /** How often it has been started again. */
  readonly restarts: number;
}

/**
 * The workers of a service. One that ends without being told to is started again, at the address that it had, after a
 * delay that grows while it keeps failing; the others never notice.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #slots: Slot[];
  #stopping = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    const { baseMs, maxMs } = options.backoff ?? { baseMs: 250, maxMs: 30_000 };
    this.#slots = options.roles.map((role) => ({
      role,
      backoff: new Backoff(baseMs, maxMs, role.index + 1),
      process: undefined,
      serving: undefined,
      retry: undefined,
      restarts: 0,
    }));
  }

  get states(): WorkerState[] {
    return this.#slots.map(({ role, process, serving, restarts }) => ({
      index: role.index,
      pid: process?.process.pid,
      serving,
      restarts,
    }));
  }

  /**
   * Starts all workers and waits until they serve.
   * @throws Error when one ends before; the others are stopped then
   */
  async start(): Promise<ServingMessage[]> {
    try {
      return await Promise.all(this.#slots.map((slot) => this.#begin(slot)));
    } catch (error) {
      await this.stop(5_000);
      throw error;
    }
  }

  /** Has all workers drain; kills what is left after `limitMs`. Resolves whether all of them ended cleanly. */
  async stop(limitMs: number): Promise<boolean> {
    this.#stopping = true;
    const statuses = await Promise.all(
      this.#slots.map(async ({ process: worker, retry }) => {
        clearTimeout(retry);
        if (!worker) return 0;
        worker.process.kill('SIGTERM');
        const timer = setTimeout(() => worker.process.kill('SIGKILL'), limitMs);
        const status = await worker.ended;
        clearTimeout(timer);
        return status;
      }),
    );
    return statuses.every((status) => status === 0);
  }

  async #begin(slot: Slot): Promise<ServingMessage> {
    const worker = this.#options.start(slot.role);
    slot.process = worker;
    void worker.ended.then((status) => this.#ended(slot, worker, status));
    const serving = await worker.serving;
    slot.serving = serving;
    slot.servingSince = performance.now();
    // Whoever knows where it was must find it there again, also where the system chose the port.
    slot.role = { ...slot.role, listen: serving.address, adminListen: serving.adminAddress };
    return serving;
  }

  #ended(slot: Slot, worker: WorkerProcess, status: number | string): void {
    if (slot.process !== worker) return;
    const served = slot.serving !== undefined;
    slot.process = undefined;
    slot.serving = undefined;
    // One that never served at the start is the business of `start`.
    if (this.#stopping || (!served && slot.restarts === 0)) return;
    const { steadyMs = 30_000, logger } = this.#options;
    if (served && performance.now() - slot.servingSince! >= steadyMs) slot.backoff.reset();
    const delayMs = Math.round(slot.backoff.next());
    const { index } = slot.role;
    logger.error({ worker: index, status, delay_ms: delayMs }, `worker ${index} ended (${status}); starting it again`);
    slot.retry = setTimeout(() => {
      slot.restarts++;
      this.#begin(slot).then(
        ({ address }) => logger.info({ worker: index, address }, `worker ${index} serves again`),
        // Its end, which says the same, has set the next attempt up.
        () => {},
      );
    }, delayMs);
  }
}

interface Slot {
  role: WorkerRole;
  readonly backoff: Backoff;
  process: WorkerProcess | undefined;
  serving: ServingMessage | undefined;
  servingSince?: number;
  retry: NodeJS.Timeout | undefined;
  restarts: number;
}
