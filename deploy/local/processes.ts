import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { compiledModule } from '../../shared/build/compiled.js';
import type { ServingMessage } from '../../shared/rpc/run-service.js';
import type { InstrumentedService, ServiceName } from '../../shared/telemetry/index.js';
import type { LocalLink, LocalService, Overrides } from './local-link.js';
import { nodeFlags } from './node-flags.js';

/** A service in a process of its own. */
export interface ServiceProcess<R extends InstrumentedService = ServiceName> extends LocalService<R> {
  process: ChildProcess;
  /** Resolves with the exit status, or the name of the signal that killed it. */
  ended: Promise<number | string>;
  /** SIGTERM, then waits for the end; SIGKILL after `limitMs`. */
  stop(limitMs?: number): Promise<number | string>;
}

/**
 * Starts one service in a process of its own and waits until it serves.
 *
 * @param flags its command-line arguments; a free port is `--listen 127.0.0.1:0`
 * @param onLog each line of its log (JSON); default: this process's standard error
 * @throws Error with what the service said when it ends before it serves
 */
export async function startServiceProcess<R extends InstrumentedService>(
  role: R,
  flags: string[],
  options: { env?: NodeJS.ProcessEnv; onLog?: (line: string) => void } = {},
): Promise<ServiceProcess<R>> {
  const onLog = options.onLog ?? ((line: string) => process.stderr.write(`${line}\n`));
  const preload = compiledModule('shared/telemetry/preload.ts').href;
  const main = fileURLToPath(compiledModule(`services/${role}/main.ts`));
  // The service sees a pipe; what it says goes to the terminal of this one.
  const isShown = options.onLog === undefined && process.stderr.isTTY === true;
  const env = { ...(isShown && { SEMLINK_LOG_FORMAT: 'text' }), ...process.env, ...options.env };
  const child = spawn(process.execPath, [...nodeFlags(env), '--import', preload, main, ...flags], {
    // The channel tells when it serves, whatever its log says, and tells it when this process has gone.
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    env,
  });
  const ended = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  const said: string[] = [];
  let serving: ServingMessage | undefined;
  createInterface({ input: child.stderr! }).on('line', (line) => {
    onLog(line);
    if (!serving) said.push(line);
  });
  const served = new Promise<void>((resolve) => {
    child.once('message', (message) => {
      serving = message as ServingMessage;
      resolve();
    });
  });
  const early = await Promise.race([served, ended]);
  if (!serving) throw new Error(`${role} ended before it served (${String(early)}): ${said.slice(-3).join(' ')}`);
  return {
    role,
    ...serving,
    process: child,
    ended,
    async stop(limitMs = 30_000) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
      const status = await ended;
      clearTimeout(timer);
      return status;
    },
  };
}

/** Starts the three services of a link, one process each; overrides become their flags. */
export async function startProcesses(
  overrides: Overrides = {},
  options: { env?: NodeJS.ProcessEnv; onLog?: (role: ServiceName, line: string) => void } = {},
): Promise<LocalLink & { processes: Record<ServiceName, ServiceProcess> }> {
  const started: ServiceProcess[] = [];
  let stopping = false;
  const start = async (role: ServiceName, next: Record<string, unknown>): Promise<ServiceProcess> => {
    const onLog = options.onLog;
    const service = await startServiceProcess(role, flagsOf({ ...next, ...overrides[role] }), {
      ...(options.env && { env: options.env }),
      ...(onLog && { onLog: (line: string) => onLog(role, line) }),
    });
    started.push(service);
    return service;
  };
  const stop = async () => {
    stopping = true;
    const statuses: (number | string)[] = [];
    for (const service of [...started].reverse()) statuses.push(await service.stop());
    return statuses.every((status) => status === 0);
  };
  try {
    const receiver = await start('receiver-decoder', {});
    const channel = await start('channel-emulator', { receiver: receiver.address });
    const transmitter = await start('transmitter-encoder', { channel: channel.address });
    const processes = {
      'transmitter-encoder': transmitter,
      'channel-emulator': channel,
      'receiver-decoder': receiver,
    };
    const failed = Promise.race(
      started.map(async ({ role, ended }) => {
        const status = await ended;
        if (stopping) return new Promise<never>(() => {});
        return `${role} ended (${status})`;
      }),
    );
    return { services: processes, processes, failed, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** `{ 'rate.policy': 'fixed' }` as `--rate-policy fixed`. */
function flagsOf(values: Record<string, unknown>): string[] {
  return Object.entries(values).flatMap(([key, value]) => {
    const flag = key
      .replaceAll('.', '-')
      .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
      .toLowerCase();
    return [`--${flag}`, String(value)];
  });
}
