import { afterEach, describe, expect, it } from 'vitest';
import { ReceiverDecoderService } from '../gen/semlink/v1/receiver_decoder_pb.js';
import { DrainList } from './drain-list.js';
import { Code } from './errors.js';
import { hops, receiveProperly, resultFor, type Sender, startReceiver, symbolFrame, until } from './hop.fixture.js';
import { PinnedClients, type PinnedClientsOptions } from './pinned-clients.js';
import type { ServerHandle, ServerOptions } from './server.js';

const { sender, end } = hops();
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  await end();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Which addresses took frames of a link, in order, a stay each. */
class Places {
  readonly stays = new Map<string, string[]>();
  readonly connections = new Map<string, Set<string>>();

  async serve(listen: string, options: Partial<ServerOptions> = {}): Promise<ServerHandle> {
    const drains = new DrainList();
    const server = await startReceiver(
      (call) => {
        const seen = this.connections.get(listen) ?? new Set();
        this.connections.set(listen, seen.add(call.getPeer()));
        receiveProperly(call, {
          drains,
          onFrames: (frames, stream) => {
            for (const frame of frames) {
              const { linkId } = frame.header!;
              const stays = this.stays.get(linkId) ?? [];
              this.stays.set(linkId, stays);
              if (stays.at(-1) !== server.address) stays.push(server.address);
              stream.answer(resultFor(frame));
            }
          },
        });
      },
      { listen, drains, drainLimitMs: 2_000, ...options },
    );
    cleanups.push(() => server.drain());
    return server;
  }
}

function pool(address: string, options: Partial<PinnedClientsOptions> = {}) {
  const clients = new PinnedClients(ReceiverDecoderService, { role: 'receiver-decoder', address, ...options });
  cleanups.push(() => clients.close());
  return { clients, peers: clients.peers((client) => client.receive()) };
}

const linkIds = Array.from({ length: 60 }, (_, i) => `link-${i}`);

/** Sends one frame of each link. */
async function round(sending: Sender, sequence: number): Promise<void> {
  for (const linkId of linkIds) await sending.stream.send(symbolFrame(sequence, { linkId }), undefined);
}

function allAnswered(sending: Sender, rounds: number): void {
  for (const linkId of linkIds) {
    for (let sequence = 0; sequence < rounds; sequence++) {
      expect(sending.errorCode(sequence, linkId), `${linkId}/${sequence}`).toBeUndefined();
    }
  }
}

describe('a pool of addresses', () => {
  it('has each link at one address, whoever sends, and one connection an address', async () => {
    const places = new Places();
    const servers = [
      await places.serve('127.0.0.1:0'),
      await places.serve('127.0.0.2:0'),
      await places.serve('127.0.0.3:0'),
    ];
    const target = servers.map(({ address }) => address).join(',');
    const { clients, peers } = pool(target);
    const senders = [
      sender(target, { peers }),
      sender(target, { peers }),
      sender(target, { peers: pool(target).peers }),
    ];
    for (let sequence = 0; sequence < 5; sequence++) for (const one of senders) await round(one, sequence);
    await until(() => senders.every(({ results }) => results.size === 5 * linkIds.length));
    for (const one of senders) allAnswered(one, 5);
    for (const linkId of linkIds) expect(places.stays.get(linkId)).toEqual([clients.clientOf(linkId)!.address]);
    const used = new Set([...places.stays.values()].flat());
    expect([...used].sort()).toEqual(clients.addresses);
    // Two pools of one process: grpc-js has them share a connection too.
    expect([...places.connections.values()].map(({ size }) => size)).toEqual([1, 1, 1]);
  });

  it('loses nothing when an address drains: its links alone move, and return with it', async () => {
    const places = new Places();
    const [stays, goes] = [await places.serve('127.0.0.1:0'), await places.serve('127.0.0.2:0')];
    const target = `${stays.address},${goes.address}`;
    const { clients, peers } = pool(target);
    const sending = sender(target, { peers, reconnectWaitMs: 10_000, windowBytes: 20_000 });
    const home = new Map(linkIds.map((linkId) => [linkId, clients.clientOf(linkId)!.address]));
    let sequence = 0;
    for (; sequence < 20; sequence++) await round(sending, sequence);
    const drained = goes.drain();
    for (; sequence < 60; sequence++) await round(sending, sequence);
    expect(await drained).toBe(true);
    await until(() => linkIds.every((linkId) => clients.clientOf(linkId)!.address === stays.address));
    for (; sequence < 80; sequence++) await round(sending, sequence);
    await places.serve(goes.address);
    await until(() => linkIds.some((linkId) => clients.clientOf(linkId)!.address === goes.address), 20_000);
    for (; sequence < 100; sequence++) await round(sending, sequence);
    await until(() => sending.results.size === sequence * linkIds.length);
    allAnswered(sending, sequence);
    for (const linkId of linkIds) {
      const moved = [goes.address, stays.address, goes.address];
      expect(places.stays.get(linkId), linkId).toEqual(home.get(linkId) === goes.address ? moved : [stays.address]);
    }
  }, 30_000);

  it('moves a share of the links to an address that joins under a name, while they send', async () => {
    const places = new Places();
    const first = await places.serve('127.0.0.1:0');
    const zone = ['127.0.0.1'];
    const { clients, peers } = pool(`pods:${first.port}`, {
      lookup: () => Promise.resolve(zone.map((address) => ({ address, family: 4 }))),
      refreshMs: 20,
      leastGapMs: 10,
    });
    const sending = sender('pods', { peers });
    let sequence = 0;
    for (; sequence < 20; sequence++) await round(sending, sequence);
    // All of them are there before there is another place to go to.
    await until(() => sending.results.size === sequence * linkIds.length);
    const second = await places.serve(`127.0.0.2:${first.port}`);
    zone.push('127.0.0.2');
    await until(() => clients.addresses.length === 2);
    for (; sequence < 40; sequence++) await round(sending, sequence);
    await until(() => sending.results.size === sequence * linkIds.length);
    // And one goes, as a pod does: it drains, and its name with it.
    zone.shift();
    await until(() => clients.addresses.length === 1);
    for (; sequence < 60; sequence++) await round(sending, sequence);
    await until(() => sending.results.size === sequence * linkIds.length);
    expect(await first.drain()).toBe(true);
    allAnswered(sending, sequence);
    for (const linkId of linkIds) expect(places.stays.get(linkId), linkId).toEqual([first.address, second.address]);
  });

  it('goes round an address that nobody listens on', async () => {
    const places = new Places();
    const gone = await places.serve('127.0.0.2:0');
    await gone.drain();
    const there = await places.serve('127.0.0.1:0');
    const target = `${there.address},${gone.address}`;
    const sending = sender(target, { peers: pool(target).peers });
    await round(sending, 0);
    await until(() => sending.results.size === linkIds.length);
    allAnswered(sending, 1);
  });

  it('connects ahead of the first frame where it is asked to, also to an address that comes later', async () => {
    const places = new Places();
    const server = await places.serve('127.0.0.1:0');
    const { clients } = pool(server.address, { connectAhead: true });
    await until(() => clients.all()[0]!.isConnected());
    const lazy = pool(server.address, { channelOptions: { 'grpc.use_local_subchannel_pool': 1 } });

    const late = `127.0.0.2:${server.port}`;
    const ahead = pool(late, { connectAhead: true });
    const sending = sender(late, { peers: ahead.peers, reconnectWaitMs: 2_000 });
    // Long enough for it to have been tried in vain more and more rarely.
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    await places.serve(late);
    await round(sending, 0);
    await until(() => sending.results.size === linkIds.length);
    allAnswered(sending, 1);
    expect(lazy.clients.all()[0]!.isConnected()).toBe(false);
  });

  it('holds frames while a name is not known, and says so when it stays that way', async () => {
    const places = new Places();
    const server = await places.serve('127.0.0.1:0');
    let known = false;
    const lookup = () =>
      known
        ? Promise.resolve([{ address: '127.0.0.1', family: 4 }])
        : Promise.reject(new Error('getaddrinfo ENOTFOUND pods'));
    const { peers } = pool(`pods:${server.port}`, { lookup, leastGapMs: 10 });
    const sending = sender(`pods:${server.port}`, { peers, reconnectWaitMs: 300 });
    await sending.stream.send(symbolFrame(0), undefined);
    await until(() => sending.results.size === 1);
    expect(sending.errorCode(0)).toBe(Code.UNAVAILABLE);
    expect(sending.errorMessage(0)).toBe(
      `receiver-decoder at pods:${server.port} is not reachable (the name pods has no address: getaddrinfo ENOTFOUND pods); ` +
        'check the name, and that it runs there',
    );
    await sending.stream.send(symbolFrame(1), undefined);
    known = true;
    await until(() => sending.results.size === 2);
    expect(sending.errorCode(1)).toBeUndefined();
  });
});
