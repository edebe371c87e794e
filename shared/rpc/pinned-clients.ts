import type { GenService, GenServiceMethods } from '@bufbuild/protobuf/codegenv2';
import type { ChannelOptions, ClientDuplexStream } from '@grpc/grpc-js';
import { parseHostPort } from '../config/address.js';
import { Backoff } from './backoff.js';
import { createRpcClient, type RpcClient, type RpcClientOptions } from './client.js';
import { Code, SemlinkError } from './errors.js';
import { type Candidate, candidate, pickCandidate } from './rendezvous.js';
import type { StreamPeer, StreamPeers } from './stream-peers.js';
import { type Endpoint, Target, type TargetOptions } from './target.js';

export interface PinnedClientsOptions extends RpcClientOptions, TargetOptions {
  /** Service name, for messages to people. */
  role: string;
  /** Connect to every address at once, so that the first frame does not wait for it. Default false. */
  connectAhead?: boolean;
}

/** One address with its connection, which all streams to it share. */
interface Place<T extends GenServiceMethods> extends Candidate {
  readonly client: RpcClient<T>;
  readonly backoff: Backoff;
  /** Being tried again; links go elsewhere meanwhile. */
  down: boolean;
  closed: boolean;
}

/**
 * Clients of one service at every address of a target, a connection each. A link is pinned to one address by rendezvous
 * hashing of its id: all who send for a link, in any process, pick the same one, and an address that comes or goes moves
 * its share of the links only. While an address is out of reach its links are spread over the others; they come back when
 * it does. Names are looked up again when a stream has to move on, when an address is lost, and now and then.
 */
export class PinnedClients<T extends GenServiceMethods> {
  readonly #service: GenService<T>;
  readonly #options: PinnedClientsOptions;
  readonly #target: Target;
  readonly #listeners = new Set<() => void>();
  #places = new Map<string, Place<T>>();
  #closed = false;

  constructor(service: GenService<T>, options: PinnedClientsOptions) {
    this.#service = service;
    this.#options = options;
    this.#target = new Target(options.address, options);
    this.#target.onChange(() => this.#update());
    this.#update();
  }

  /** The target as given, for messages to people. */
  get address(): string {
    return this.#options.address;
  }

  /** Every address there is, sorted. */
  get addresses(): string[] {
    return [...this.#places.keys()];
  }

  /** The client of the address that a link is pinned to; undefined while no address is known. */
  clientOf(linkId: string): RpcClient<T> | undefined {
    return this.#placeOf(linkId)?.client;
  }

  /** The clients of all addresses, reachable or not. */
  all(): RpcClient<T>[] {
    return [...this.#places.values()].map(({ client }) => client);
  }

  /** Resolves when an address is known. @throws SemlinkError UNAVAILABLE with the reason when none is in time */
  async resolved(timeoutMs = 5_000): Promise<void> {
    const end = performance.now() + timeoutMs;
    while (this.#places.size === 0) {
      if (performance.now() >= end) {
        const { role, address } = this.#options;
        throw new SemlinkError(Code.UNAVAILABLE, `${role} at ${address} is not reachable: ${this.#problem()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** For a `FrameStreamClient`: streams that `open` opens at the addresses of this target. */
  peers<Req, Res>(open: (client: RpcClient<T>) => ClientDuplexStream<Req, Res>): StreamPeers<Req, Res> {
    const made = new WeakMap<Place<T>, PlacedPeer<T, Req, Res>>();
    const peerOf = (place: Place<T>): PlacedPeer<T, Req, Res> => {
      const known = made.get(place);
      if (known) return known;
      const peer = {
        place,
        address: place.client.address,
        open: () => open(place.client),
        isConnected: () => place.client.isConnected(),
      };
      made.set(place, peer);
      return peer;
    };
    const placeOf = (peer: StreamPeer<Req, Res>) => (peer as PlacedPeer<T, Req, Res>).place;
    return {
      pick: (linkId) => {
        const place = this.#placeOf(linkId);
        return place && peerOf(place);
      },
      has: (peer) => !placeOf(peer).closed,
      problem: () => this.#problem(),
      unreachable: (peer) => this.#lost(placeOf(peer)),
      movedOn: () => this.#target.refresh(),
      onChange: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
  }

  /** Closes every connection once its running calls have ended. */
  close(): void {
    this.#closed = true;
    this.#target.close();
    this.#listeners.clear();
    for (const place of this.#places.values()) close(place);
  }

  #placeOf(linkId: string): Place<T> | undefined {
    const places = this.#places;
    if (places.size === 1) return places.values().next().value;
    const up = [...places.values()].filter(({ down }) => !down);
    // With all of them down there is no better one than the link's own.
    return pickCandidate(linkId, up.length > 0 ? up : places.values());
  }

  #problem(): string {
    return this.#target.problem ?? 'its name has not been looked up yet';
  }

  #update(): void {
    const places = new Map<string, Place<T>>();
    for (const endpoint of this.#target.endpoints) {
      places.set(endpoint.address, this.#places.get(endpoint.address) ?? this.#place(endpoint));
    }
    const gone = [...this.#places.values()].filter(({ address }) => !places.has(address));
    this.#places = places;
    // Calls that are running on a closed client go on to their end.
    for (const place of gone) close(place);
    this.#changed();
  }

  #place({ address, name }: Endpoint): Place<T> {
    const { channelOptions } = this.#options;
    const client = createRpcClient(this.#service, {
      ...this.#options,
      address,
      // The peer is still called by its name, which its certificate has.
      ...(name !== undefined && { channelOptions: { ...calledBy(name), ...channelOptions } }),
    });
    if (this.#options.connectAhead) client.connect();
    return { ...candidate(address), client, backoff: new Backoff(250, 5_000, 1), down: false, closed: false };
  }

  #lost(place: Place<T>): void {
    if (place.down || place.closed || this.#closed) return;
    this.#target.refresh();
    if (this.#places.size === 1) return;
    place.down = true;
    this.#changed();
    void this.#tryAgain(place);
  }

  /** Until a place that is down has a connection again. Nothing waits for that, so it keeps no process alive. */
  async #tryAgain(place: Place<T>): Promise<void> {
    while (!place.closed) {
      await pause(place.backoff.next());
      if (place.closed) return;
      const connected = await place.client.waitForReady(5_000).then(
        () => true,
        () => false,
      );
      if (!connected) continue;
      place.down = false;
      this.#changed();
      // One that fails again at once is tried more and more rarely.
      setTimeout(() => !place.down && place.backoff.reset(), 10_000).unref();
      return;
    }
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function calledBy(name: string): ChannelOptions {
  const { host } = parseHostPort(name);
  return { 'grpc.default_authority': name, 'grpc.ssl_target_name_override': host };
}

interface PlacedPeer<T extends GenServiceMethods, Req, Res> extends StreamPeer<Req, Res> {
  readonly place: Place<T>;
}

function close<T extends GenServiceMethods>(place: Place<T>): void {
  place.closed = true;
  place.client.close();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
