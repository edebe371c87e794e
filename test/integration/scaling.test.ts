/** A service that grows and shrinks under load: new processes get links, those that go drain, and no image is lost. */
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServiceProcess, startServiceProcess } from '../../deploy/local/processes.js';
import { SemanticLink } from '../../shared/client/link.js';
import { candidate, pickCandidate } from '../../shared/rpc/rendezvous.js';
import type { ServiceName } from '../../shared/telemetry/index.js';
import { scrape } from '../telemetry/exposition-parse.js';
import { errorOf, killAll, type TestImage, testImages, until } from './link.fixture.js';

/** What is being done to the services, for messages. */
let phase = 'one of each';

const linkIds = Array.from({ length: 8 }, (_, i) => `grows-${i}`);
const processes = new Set<ServiceProcess>();
let images: TestImage[];
beforeAll(async () => {
  images = await testImages(64);
});
afterAll(() => killAll(processes));

async function start(role: ServiceName, listen: string, ...flags: string[]): Promise<ServiceProcess> {
  const all = ['--listen', listen, '--metrics-listen', '127.0.0.1:0', '--log-level', 'warn', ...flags];
  const service = await startServiceProcess(role, all, { onLog: () => {} });
  processes.add(service);
  return service;
}

/** Ports that nobody has now; the services that will have them come later. */
async function freeAddresses(count: number): Promise<string[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const addresses = servers.map((server) => `127.0.0.1:${(server.address() as { port: number }).port}`);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return addresses;
}

/** Images over every link until it is told to stop; what was sent and which errors there were. */
function keepSending(address: string) {
  let stopping = false;
  const errors: string[] = [];
  let sent = 0;
  const links = linkIds.map((linkId) => new SemanticLink({ address, linkId, reconnectWaitMs: 20_000 }));
  const running = links.map(async (link) => {
    for (let i = 0; !stopping; i++) {
      const burst = Array.from({ length: 4 }, (_, j) => link.classify(images[(4 * i + j) % images.length]!));
      for (const { result } of await Promise.all(burst)) {
        sent++;
        const error = errorOf(result);
        if (error) errors.push(`${phase}: ${error.origin}: ${error.message}`);
      }
    }
    await link.close();
  });
  return {
    async stop() {
      stopping = true;
      await Promise.all(running);
      return { sent, errors };
    },
  };
}

const answered = async ({ metricsAddress }: ServiceProcess): Promise<number> => {
  const { samples } = await scrape(`http://${metricsAddress}`);
  return samples.filter(({ name }) => name === 'semlink_frames_total').reduce((sum, { value }) => sum + value, 0);
};

describe('every service, one process after the other', () => {
  it('grows from one to two and back, with no image lost and no error', async () => {
    const [transmitters, emulators, receivers] = await Promise.all([
      freeAddresses(2),
      freeAddresses(2),
      freeAddresses(2),
    ]);
    const first = [
      await start('receiver-decoder', receivers![0]!),
      await start('channel-emulator', emulators![0]!, '--receiver', receivers!.join()),
      await start('transmitter-encoder', transmitters![0]!, '--channel', emulators!.join()),
    ];
    const sending = keepSending(transmitters!.join());
    await until(async () => (await answered(first[0]!)) > 100, 60_000);
    phase = 'new ones join';
    // New ones join; links that hash to them come by themselves.
    const second = [
      await start('receiver-decoder', receivers![1]!),
      await start('channel-emulator', emulators![1]!, '--receiver', receivers!.join()),
      await start('transmitter-encoder', transmitters![1]!, '--channel', emulators!.join()),
    ];
    for (const [i, addresses] of [receivers!, emulators!, transmitters!].entries()) {
      const candidates = addresses.map(candidate);
      const share = linkIds.filter((linkId) => pickCandidate(linkId, candidates) === candidates[1]).length;
      if (share > 0) await until(async () => (await answered(second[i]!)) > 20 * share, 60_000);
    }
    // And the old ones go, the far end last, each of them cleanly.
    for (const service of first.toReversed()) {
      phase = `the first ${service.role} goes`;
      expect(await service.stop(), service.role).toBe(0);
    }
    phase = 'the new ones alone';
    const before = await Promise.all(second.map(answered));
    await until(
      async () => (await Promise.all(second.map(answered))).every((now, i) => now > before[i]! + 200),
      60_000,
    );
    const { sent, errors } = await sending.stop();
    expect(errors, `${transmitters!.join()} ${emulators!.join()} ${receivers!.join()}`).toEqual([]);
    expect(sent).toBeGreaterThan(600);
    for (const service of second.toReversed()) expect(await service.stop(), service.role).toBe(0);
  }, 240_000);
});
