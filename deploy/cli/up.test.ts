import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../test/integration/link.fixture.js';
import {
  type CommandRun,
  childrenOf,
  isRunning,
  knowsChildren,
  semlink,
  startSemlink,
} from '../../test/integration/semlink-command.fixture.js';

const free = ['--transmitter', '127.0.0.1:0', '--emulator', '127.0.0.1:0', '--receiver', '127.0.0.1:0'];
/** The default ports of /metrics may be taken on a machine that runs tests. */
const env = Object.fromEntries(
  ['TRANSMITTER_ENCODER', 'CHANNEL_EMULATOR', 'RECEIVER_DECODER'].map((name) => [
    `SEMLINK_${name}_METRICS_LISTEN`,
    '127.0.0.1:0',
  ]),
);

let busy: Server;
let busyAddress: string;
beforeAll(async () => {
  busy = createServer().listen(0, '127.0.0.1');
  await once(busy, 'listening');
  const address = busy.address();
  busyAddress = `127.0.0.1:${typeof address === 'object' && address?.port}`;
});
afterAll(() => busy.close());

/** `role  host:port  http://.../metrics` of each service, once it says that it is ready. */
async function addressesOf(run: CommandRun): Promise<Record<string, { address: string; metrics: string }>> {
  await until(() => run.stdout.includes('ready') || run.child.exitCode !== null, 25_000);
  const lines = [...run.stdout.matchAll(/^(\S+) +(\S+:\d+) {2}(http:\S+)$/gm)];
  return Object.fromEntries(
    lines.map(([, role, address, metrics]) => [role, { address: address!, metrics: metrics! }]),
  );
}

describe('semlink up', () => {
  it.each([
    ['in one process', []],
    ['--processes', ['--processes']],
  ])('%s serves until SIGTERM and then exits 0', { timeout: 60_000 }, async (_, flags) => {
    const run = startSemlink(['up', ...free, ...flags], { env });
    try {
      const services = await addressesOf(run);
      expect(Object.keys(services)).toEqual(['transmitter-encoder', 'channel-emulator', 'receiver-decoder']);
      for (const { metrics } of Object.values(services)) expect((await fetch(metrics)).status).toBe(200);
      const sent = await semlink([
        'send',
        '--images',
        '50',
        '--to',
        services['transmitter-encoder']!.address,
        '--emulator',
        services['channel-emulator']!.address,
        '--channel',
        'awgn',
        '--snr-db',
        '0,15',
      ]);
      expect(sent.status, sent.stderr).toBe(0);
      // One row for each point of the sweep and one for all.
      expect(sent.stdout).toMatch(/^0 +50 +0 +\d/m);
      expect(sent.stdout).toMatch(/^15 +50 +0 +\d/m);
      expect(sent.stdout).toMatch(/^all +100 +0 +\d/m);
    } finally {
      run.child.kill('SIGTERM');
    }
    expect(await run.ended).toBe(0);
  });

  it('--console serves a page of the link', { timeout: 60_000 }, async () => {
    const page = ['--console', '--console-listen', '127.0.0.1:0'];
    const run = startSemlink(['up', ...free, ...page], {
      env: { ...env, SEMLINK_CONSOLE_METRICS_LISTEN: '127.0.0.1:0' },
    });
    try {
      const services = await addressesOf(run);
      expect(Object.keys(services)).toHaveLength(3);
      const url = /^console +(http:\S+)$/m.exec(run.stdout)![1]!;
      expect(await (await fetch(url)).text()).toContain('<title>SemLink console</title>');
      // It is told of all three by itself.
      const { body } = await fetch(`${url}/api/events`);
      let told = '';
      for await (const chunk of body!) {
        told += Buffer.from(chunk).toString();
        if (told.match(/"state":"up"/g)?.length === 3) break;
      }
    } finally {
      run.child.kill('SIGTERM');
    }
    expect(await run.ended, run.stderr).toBe(0);
  });

  it('--console with a port in use exits 1 with one sentence, and leaves nothing running', async () => {
    const { status, stderr } = await semlink(['up', ...free, '--console', '--console-listen', busyAddress], {
      env: { ...env, SEMLINK_CONSOLE_METRICS_LISTEN: '127.0.0.1:0' },
    });
    expect(status).toBe(1);
    expect(stderr.trim().split('\n').at(-1)).toContain(`console cannot listen on ${busyAddress}: the port is in use`);
  });

  it('with a port in use exits 1 with one sentence', async () => {
    const { status, stderr, stdout } = await semlink(['up', ...free, '--receiver', busyAddress], { env });
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr.trim().split('\n').at(-1)).toBe(
      `semlink: receiver-decoder cannot listen on ${busyAddress}: the port is in use; stop the process that has it, or choose another port`,
    );
  });

  it.skipIf(!knowsChildren)(
    '--processes stops the others when one of them dies, says which, and exits 1',
    { timeout: 60_000 },
    async () => {
      const run = startSemlink(['up', ...free, '--processes'], { env });
      await addressesOf(run);
      const services = await childrenOf(run.child.pid!);
      expect(services).toHaveLength(3);
      process.kill(services.find(({ command }) => command.includes('channel-emulator/main.js'))!.pid, 'SIGKILL');
      expect(await run.ended).toBe(1);
      expect(run.stderr).toContain('semlink up: channel-emulator ended (SIGKILL); stopping the others');
      expect(services.filter(({ pid }) => isRunning(pid))).toEqual([]);
    },
  );

  it.skipIf(!knowsChildren)(
    '--processes told to stop before it has started leaves no service behind',
    { timeout: 60_000 },
    async () => {
      const run = startSemlink(['up', ...free, '--processes'], { env });
      let services: { pid: number }[] = [];
      await until(async () => {
        services = await childrenOf(run.child.pid!);
        return services.length > 0;
      });
      run.child.kill('SIGTERM');
      expect(await run.ended).toBe(143);
      expect(run.stdout).not.toContain('ready');
      await until(() => !services.some(({ pid }) => isRunning(pid)));
    },
  );

  it.skipIf(!knowsChildren)(
    '--processes exits 0 on Ctrl-C, which reaches the services twice',
    { timeout: 60_000 },
    async () => {
      const run = startSemlink(['up', ...free, '--processes'], { env });
      await addressesOf(run);
      const services = await childrenOf(run.child.pid!);
      // A terminal sends it to all of them; each is sent SIGTERM by `up` besides.
      for (const { pid } of [...services, { pid: run.child.pid! }]) process.kill(pid, 'SIGINT');
      expect(await run.ended).toBe(0);
      expect(run.stderr.match(/"message":"drained"/g)).toHaveLength(3);
    },
  );
});
