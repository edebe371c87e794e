/** Services as several worker processes each: links stay pinned, a worker may die, all of them drain. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withEmulators } from '../../deploy/cli/channel/emulator.js';
import { type ServiceProcess, startProcesses } from '../../deploy/local/processes.js';
import { SemanticLink } from '../../shared/client/link.js';
import { ChannelEmulatorService } from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { createRpcClient } from '../../shared/rpc/client.js';
import { Code } from '../../shared/rpc/errors.js';
import { candidate, pickCandidate } from '../../shared/rpc/rendezvous.js';
import { SERVICES, type ServiceName } from '../../shared/telemetry/index.js';
import { scrape } from '../telemetry/exposition-parse.js';
import { errorOf, killAll, sendAll, type TestImage, testImages, until } from './link.fixture.js';

const linkIds = Array.from({ length: 6 }, (_, i) => `pinned-${i}`);
let images: TestImage[];
let local: Awaited<ReturnType<typeof startProcesses>>;

beforeAll(async () => {
  const own = { listen: '127.0.0.1:0', 'metrics.listen': '127.0.0.1:0', workers: 2, logLevel: 'warn' };
  const overrides = Object.fromEntries(SERVICES.map((role) => [role, own]));
  // What a killed worker makes the others say is expected.
  [images, local] = await Promise.all([testImages(300), startProcesses(overrides, { onLog: () => {} })]);
}, 120_000);
afterAll(() => killAll(Object.values(local?.processes ?? {})));

const addressesOf = (role: ServiceName) => local.services[role].address.split(',');
const metricsOf = (role: ServiceName) => `http://${local.services[role].metricsAddress}`;
const ready = async (role: ServiceName) => (await fetch(`${metricsOf(role)}/readyz`)).ok;

/** Processes that a service runs its workers in. */
async function workersOf({ process: { pid } }: ServiceProcess): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.trim().split(' ').map(Number);
}

/** The images over every link at once; the answers by link. */
async function sendEverywhere(of: readonly TestImage[], onAnswer: () => void = () => {}) {
  const links = linkIds.map(
    (linkId) =>
      new SemanticLink({
        address: local.services['transmitter-encoder'].address,
        linkId,
        policy: { kind: 'fixed', channelUses: 8 },
        maxInFlight: 16,
        reconnectWaitMs: 5_000,
      }),
  );
  try {
    return await Promise.all(links.map((link) => sendAll(link, of, onAnswer)));
  } finally {
    await Promise.all(links.map((link) => link.close()));
  }
}

/** Symbols of a link that each worker of the emulator has carried. */
async function positions(linkId: string): Promise<number[]> {
  return Promise.all(
    addressesOf('channel-emulator').map(async (address) => {
      const client = createRpcClient(ChannelEmulatorService, { address });
      try {
        return Number((await client.getChannel({ linkId })).position);
      } finally {
        client.close();
      }
    }),
  );
}

describe('services of two workers each', () => {
  it('carry every link over one worker of each, the one that hashing gives', async () => {
    for (const role of SERVICES) {
      expect(addressesOf(role)).toHaveLength(2);
      expect(await ready(role)).toBe(true);
    }
    const answers = await sendEverywhere(images.slice(0, 50));
    for (const of of answers) for (const { result } of of) expect(errorOf(result)).toBeUndefined();
    const home = (role: ServiceName, linkId: string) =>
      addressesOf(role).indexOf(pickCandidate(linkId, addressesOf(role).map(candidate))!.address);
    for (const linkId of linkIds) {
      const expected = [0, 0];
      expected[home('channel-emulator', linkId)] = 50 * 8;
      expect(await positions(linkId), linkId).toEqual(expected);
    }
    const decisions = (await scrape(metricsOf('transmitter-encoder'))).samples.filter(
      ({ name }) => name === 'semlink_rate_decisions_total',
    );
    expect(decisions.map(({ labels, value }) => [labels.link, labels.worker, value]).sort()).toEqual(
      linkIds.map((linkId) => [linkId, String(home('transmitter-encoder', linkId)), 50]),
    );
  }, 60_000);

  it('are set alike by channel control', async () => {
    const target = local.services['channel-emulator'].address;
    const patch = JSON.stringify({ channel: { snrDb: 17 } });
    const read = await withEmulators({ emulator: target }, async (emulators) => {
      await emulators.onAll((client) => client.setChannel({ linkId: '', patch }));
      const told = await emulators.onAll((client) => client.getChannel({ linkId: '' }));
      const carrying = await emulators.carrying(linkIds[0]!);
      return {
        snrDb: told.map(({ channel }) => channel?.snrDb),
        at: (await carrying.getChannel({ linkId: linkIds[0]! })).position,
      };
    });
    expect(read).toEqual({ snrDb: [17, 17], at: BigInt(50 * 8) });
  });

  it('answer every image when workers are killed in the middle, and are whole again soon after', async () => {
    let answered = 0;
    const killed: number[] = [];
    const kill = async () => {
      for (const [i, role] of SERVICES.entries()) {
        const pid = (await workersOf(local.processes[role]))[i % 2]!;
        killed.push(pid);
        process.kill(pid, 'SIGKILL');
      }
    };
    let killing: Promise<void> | undefined;
    const answers = await sendEverywhere(images, () => {
      if (++answered === 300) killing = kill();
    });
    await killing;
    // sendAll has thrown if an image had no answer, or two.
    const errors = answers.flat().flatMap(({ result }) => errorOf(result) ?? []);
    for (const { code, message, origin } of errors) {
      expect(code, `${origin}: ${message}`).toBe(Code.UNAVAILABLE);
      expect(message).toMatch(/broke before the answer|is not reachable|ended the stream/);
    }
    // What was under way with the dead, and no more: six links of 16 in flight, at each of three services.
    expect(errors.length).toBeLessThanOrEqual(3 * 6 * 16);
    expect(answered).toBe(linkIds.length * images.length);
    for (const role of SERVICES) await until(() => ready(role), 60_000);
    for (const role of SERVICES) {
      const workers = await workersOf(local.processes[role]);
      expect(workers).toHaveLength(2);
      expect(workers.some((pid) => killed.includes(pid))).toBe(false);
      const { value } = await scrape(metricsOf(role));
      const restarts = ['0', '1'].map((worker) => value('semlink_worker_restarts_total', { worker }));
      expect(restarts.toSorted()).toEqual([0, 1]);
      expect(['0', '1'].map((worker) => value('semlink_worker_up', { worker }))).toEqual([1, 1]);
    }
    const after = await sendEverywhere(images.slice(0, 20));
    for (const of of after) for (const { result } of of) expect(errorOf(result)).toBeUndefined();
  }, 180_000);

  it('drain together, and no process is left', async () => {
    const pids = (await Promise.all(SERVICES.map((role) => workersOf(local.processes[role])))).flat();
    const sending = sendEverywhere(images);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const statuses = await Promise.all(SERVICES.map((role) => local.processes[role].stop()));
    expect(statuses).toEqual([0, 0, 0]);
    await until(() => pids.every((pid) => !isAlive(pid)));
    const answers = (await sending).flat();
    expect(answers).toHaveLength(linkIds.length * images.length);
  }, 120_000);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
