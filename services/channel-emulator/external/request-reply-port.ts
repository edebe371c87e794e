import type { Dealer, Router } from 'zeromq';
import type { ExternalSettings } from '../../../shared/channel/external.js';
import type { IqPort, IqPortEvents } from './iq-port.js';
import { PeerWatch } from './peer-watch.js';

const bytesPerSymbol = 8;
const empty = Buffer.alloc(0);

/**
 * Symbols handed out on request and asked for in return: the peer is a GNU Radio ZMQ REQ Source and ZMQ REP Sink, or
 * srsRAN's RF driver, whose request is one byte.
 *
 * A router and a dealer stand in for the reply and the request socket, which the peer cannot tell apart: those two keep
 * a strict turn that is lost for good when a peer dies between question and answer. The peer's own request socket may keep
 * that turn: such a peer has to be started again when the emulator was.
 */
export class RequestReplyPort implements IqPort {
  readonly #router: Router;
  readonly #dealer: Dealer;
  readonly #peers: PeerWatch;
  readonly #byteRequests: boolean;
  /** Address (envelope) of a peer that asks for symbols and has none yet, and how many it takes. */
  #asked: { envelope: Buffer[]; symbols: number } | undefined;
  #unsent: Uint8Array = empty;
  #sending = false;
  /** Symbols the owner wants back. */
  #wanted = 0;
  /** A request is with the peer. */
  #asking = false;

  private constructor(router: Router, dealer: Dealer, byteRequests: boolean, events: IqPortEvents) {
    this.#router = router;
    this.#dealer = dealer;
    this.#byteRequests = byteRequests;
    this.#peers = new PeerWatch(router, dealer, (connected) => {
      if (!connected) this.#forget();
      events.onConnected(connected);
      this.#ask();
    });
    this.#serve().catch(() => {});
    this.#read(events).catch(() => {});
  }

  static async open({ send, receive, form }: ExternalSettings, events: IqPortEvents): Promise<RequestReplyPort> {
    const { Router, Dealer } = await import('zeromq');
    const router = new Router({ linger: 0, mandatory: false });
    const dealer = new Dealer({ linger: 0, immediate: true, reconnectInterval: 50, reconnectMaxInterval: 500 });
    const port = new RequestReplyPort(router, dealer, form === 'srsran', events);
    try {
      await router.bind(send);
      dealer.connect(receive);
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
    this.#unsent = this.#unsent.length === 0 ? bytes : Buffer.concat([this.#unsent, bytes]);
    this.#answer();
  }

  want(symbols: number): void {
    this.#wanted += symbols;
    this.#ask();
  }

  reset(): void {
    this.#unsent = empty;
    this.#wanted = 0;
  }

  close(): void {
    this.#peers.close();
    this.#router.close();
    this.#dealer.close();
  }

  /** The process is gone: its request will not take an answer, and ours will not get one. */
  #forget(): void {
    this.#asked = undefined;
    this.#asking = false;
  }

  async #serve(): Promise<void> {
    for await (const parts of this.#router) {
      const request = parts.at(-1)!;
      // A count of GNU Radio, or the byte of srsRAN, which takes what there is.
      const symbols = request.length >= 4 ? request.readUInt32LE(0) : Number.POSITIVE_INFINITY;
      this.#asked = { envelope: parts.slice(0, -1), symbols: Math.max(1, symbols) };
      this.#answer();
    }
  }

  #answer(): void {
    if (!this.#asked || this.#unsent.length === 0 || this.#sending) return;
    const { envelope, symbols } = this.#asked;
    const bytes = Math.min(this.#unsent.length, symbols * bytesPerSymbol);
    const message = this.#unsent.subarray(0, bytes);
    this.#unsent = this.#unsent.subarray(bytes);
    this.#asked = undefined;
    this.#sending = true;
    this.#router
      .send([...envelope, message])
      .catch(() => {})
      .finally(() => {
        this.#sending = false;
        this.#answer();
      });
  }

  #ask(): void {
    if (this.#asking || this.#wanted === 0 || !this.connected) return;
    this.#asking = true;
    const request = this.#byteRequests ? Buffer.from([0xff]) : Buffer.alloc(4);
    if (!this.#byteRequests) request.writeUInt32LE(this.#wanted);
    this.#dealer.send([empty, request]).catch(() => {
      this.#asking = false;
    });
  }

  async #read(events: IqPortEvents): Promise<void> {
    for await (const parts of this.#dealer) {
      const bytes = parts.at(-1)!;
      this.#asking = false;
      this.#wanted = Math.max(0, this.#wanted - Math.floor(bytes.length / bytesPerSymbol));
      events.onBytes(bytes);
      this.#ask();
    }
  }
}
