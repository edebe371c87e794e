/** A link whose services a test can stop and start again, each on the address it had. */
import { expect } from 'vitest';
import { type ServiceProcess, startServiceProcess } from '../../deploy/local/processes.js';
import { type LinkAnswer, SemanticLink } from '../../shared/client/link.js';
import { Code } from '../../shared/rpc/errors.js';
import type { ServiceName } from '../../shared/telemetry/index.js';
import { errorOf, killAll, startTestLink, type TestImage, until } from './link.fixture.js';
import { ownLoopback } from './own-loopback.fixture.js';

/** How long frames wait for a service that is down, ms: long enough for a loaded machine to open a stream. */
const reconnectWaitMs = 1_500;

export interface RestartableLink {
  /** The process that serves each role now. */
  readonly running: Record<ServiceName, ServiceProcess>;
  readonly log: Record<ServiceName, string[]>;
  /** Starts a role again on its old address; the others are left alone. */
  restart(role: ServiceName): Promise<void>;
  /** Starts again what a test that failed has left behind dead; for `beforeEach`. */
  restartAll(): Promise<void>;
  /** A client's link that fails soon, with eight channel uses an image. */
  open(linkId: string): SemanticLink;
  killAll(): void;
}

export async function startRestartableLink(drainLimitMs: number): Promise<RestartableLink> {
  const listen = ownLoopback;
  const hop = { listen, reconnectWaitMs, drainLimitMs };
  const { processes, log, emulator } = await startTestLink({
    'transmitter-encoder': hop,
    'channel-emulator': hop,
    'receiver-decoder': { listen, drainLimitMs },
  });
  emulator.close();
  const running = { ...processes };
  const onward = (role: ServiceName): string[] => {
    if (role === 'receiver-decoder') return [];
    const [flag, next] =
      role === 'transmitter-encoder'
        ? (['--channel', 'channel-emulator'] as const)
        : (['--receiver', 'receiver-decoder'] as const);
    return [flag, running[next].address, '--reconnect-wait-ms', `${reconnectWaitMs}`];
  };
  const restart = async (role: ServiceName): Promise<void> => {
    const { address } = running[role];
    const flags = ['--listen', address, '--metrics-listen', '127.0.0.1:0', ...onward(role)];
    running[role] = await startServiceProcess(role, flags, { onLog: (line) => log[role].push(line) });
  };
  return {
    running,
    log,
    restart,
    async restartAll() {
      for (const { role, process } of Object.values(running)) {
        if (process.exitCode !== null || process.signalCode !== null) await restart(role);
      }
    },
    open: (linkId) =>
      new SemanticLink({
        address: running['transmitter-encoder'].address,
        linkId,
        policy: { kind: 'fixed', channelUses: 8 },
        reconnectWaitMs,
      }),
    killAll: () => killAll(Object.values(running)),
  };
}

/** Sends an image again and again until it comes through. */
export async function untilWorking(link: SemanticLink, image: TestImage): Promise<void> {
  await until(async () => (await link.classify(image)).result.outcome.case === 'classification');
}

/** Checks that every error says which service failed and where; how many there are. */
export function expectNamedErrors(
  answers: readonly LinkAnswer<unknown>[],
  { role, address }: Pick<ServiceProcess, 'role' | 'address'>,
): number {
  const errors = answers.map(({ result }) => errorOf(result)).filter((error) => error !== undefined);
  for (const error of errors) {
    expect(error.code).toBe(Code.UNAVAILABLE);
    expect(error.message).toContain(`${role} at ${address}`);
  }
  return errors.length;
}
