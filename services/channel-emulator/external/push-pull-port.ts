import type { Pull, Push } from 'zeromq';
import type { ExternalSettings } from '../../../shared/channel/external.js';
import type { IqPort, IqPortEvents } from './iq-port.js';
import { PeerWatch } from './peer-watch.js';

/** Symbols pushed out and pulled back: the peer is a GNU Radio ZMQ PULL Source and ZMQ PUSH Sink, or alike. */
export class PushPullPort implements IqPort {
  readonly #push: Push;
  readonly #pull: Pull;
  readonly #peers: PeerWatch;

  private constructor(push: Push, pull: Pull, events: IqPortEvents) {
    this.#push = push;
    this.#pull = pull;
    this.#peers = new PeerWatch(push, pull, (connected) => events.onConnected(connected));
    this.#read(events).catch(() => {});
  }

  static async open({ send, receive }: ExternalSettings, events: IqPortEvents): Promise<PushPullPort> {
    // Loaded with the first external channel: nobody else needs the native library.
    const { Push, Pull } = await import('zeromq');
    const push = new Push({ linger: 0, sendTimeout: 0 });
    const pull = new Pull({ linger: 0, reconnectInterval: 50, reconnectMaxInterval: 500, receiveHighWaterMark: 64 });
    const port = new PushPullPort(push, pull, events);
    try {
      await push.bind(send);
      pull.connect(receive);
      return port;
    } catch (error) {
      port.close();
      throw error;
    }
  }

  get connected(): boolean {
    return this.#peers.connected;
  }

  send(bytes: Uint8Array): void {
    // One message at a time is out, so the queue is never full; without a peer it fails, which onConnected has told.
    this.#push.send(bytes).catch(() => {});
  }

  want(): void {}

  reset(): void {}

  close(): void {
    this.#peers.close();
    this.#push.close();
    this.#pull.close();
  }

  async #read(events: IqPortEvents): Promise<void> {
    for await (const parts of this.#pull) {
      for (const part of parts) events.onBytes(part);
    }
  }
}
