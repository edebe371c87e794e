import type { Client, ClientDuplexStream } from '@grpc/grpc-js';
import type { RatePolicy } from '../../../shared/codec/rate-control.js';
import {
  type TransmitResponse,
  TransmitResponseSchema,
  TransmitterEncoderService,
} from '../../../shared/gen/semlink/v1/transmitter_encoder_pb.js';
import { codecOf } from '../../../shared/rpc/wire/compile.js';
import { nowUnixNano } from '../../../shared/telemetry/index.js';
import { type LoadImages, LoadMessage, policyRequest } from './link-messages.js';

interface Slot {
  message: LoadMessage;
  /** Images without an answer. */
  open: number;
  /** `performance.now()` from when latency counts. */
  since: number;
}

export interface LoadStreamOptions {
  linkId: string;
  images: LoadImages;
  policy: RatePolicy;
  perMessage: number;
  /** Messages that are sent and not answered, at most. */
  messages: number;
  readPauseMs: number;
  /** Each answer; `since` as it was given to `trySend`. */
  onResponse(response: TransmitResponse, sinceOf: (sequence: bigint) => number): void;
  /** A message has been answered whole: `trySend` has room. */
  onRoom(stream: LoadStream): void;
  onFailure(error: Error): void;
}

const { transmit } = TransmitterEncoderService.method;
const PATH = `/${transmit.parent.typeName}/${transmit.name}`;
const asIs = (bytes: Buffer) => bytes;

/** One stream of a load: a number of messages made beforehand, each sent again once it has been answered. */
export class LoadStream {
  readonly #client: Client;
  readonly #options: LoadStreamOptions;
  readonly #slots: Slot[];
  readonly #free: Slot[];
  #call: ClientDuplexStream<Buffer, TransmitResponse>;
  #closing = false;

  constructor(client: Client, options: LoadStreamOptions) {
    const { linkId, images, perMessage, messages } = options;
    this.#client = client;
    this.#options = options;
    this.#slots = Array.from({ length: messages }, (_, i) => ({
      message: new LoadMessage(linkId, i * perMessage, perMessage, images),
      open: 0,
      since: 0,
    }));
    this.#free = this.#slots.toReversed();
    this.#call = this.#open();
  }

  /** Messages that are sent and not answered. */
  get waiting(): number {
    return this.#slots.length - this.#free.length;
  }

  /**
   * Sends a message, if one is free.
   *
   * @param since from when its latency counts, `performance.now()`
   */
  trySend(since: number): boolean {
    const slot = this.#free.pop();
    if (!slot) return false;
    slot.open = this.#options.perMessage;
    slot.since = since;
    this.#call.write(slot.message.at(nowUnixNano()));
    return true;
  }

  /** Says that nothing more will be sent. */
  end(): void {
    this.#closing = true;
    this.#call.end();
  }

  cancel(): void {
    this.#closing = true;
    this.#call.cancel();
  }

  #open(): ClientDuplexStream<Buffer, TransmitResponse> {
    const decode = (bytes: Buffer) => codecOf(TransmitResponseSchema).decode(bytes);
    const call = this.#client.makeBidiStreamRequest(PATH, asIs, decode);
    call.on('data', (response: TransmitResponse) => this.#read(call, response));
    call.on('error', (error: Error) => {
      if (!this.#closing) this.#options.onFailure(error);
    });
    call.write(policyRequest(this.#options.linkId, this.#options.policy));
    return call;
  }

  #read(call: ClientDuplexStream<Buffer, TransmitResponse>, response: TransmitResponse): void {
    const { perMessage, readPauseMs } = this.#options;
    this.#options.onResponse(response, this.#sinceOf);
    for (const { sequence } of response.results) {
      const slot = this.#slots[Math.floor(Number(sequence) / perMessage)]!;
      slot.open--;
      if (slot.open > 0) continue;
      this.#free.push(slot);
      this.#options.onRoom(this);
    }
    if (response.draining && call === this.#call && !this.#closing) {
      // What was sent on the old one is answered there.
      this.#call = this.#open();
      call.end();
    }
    if (readPauseMs > 0) {
      call.pause();
      setTimeout(() => call.resume(), readPauseMs);
    }
  }

  readonly #sinceOf = (sequence: bigint): number =>
    this.#slots[Math.floor(Number(sequence) / this.#options.perMessage)]!.since;
}
