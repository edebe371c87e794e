import type {
  ChannelEmulatorService,
  WatchSymbolsResponse,
} from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import type { PinnedClients } from '../../../shared/rpc/pinned-clients.js';
import { follow } from './follow.js';

/** Symbols that a sample shows at most: more are no more to see. */
const mostSymbols = 128;

/** A frame on the air, as the page draws it. Numbers have three decimals. */
export interface SymbolView {
  /** Rises by one with each sample. */
  readonly id: number;
  readonly sequence: number;
  readonly channelUses: number;
  readonly model: string;
  readonly snrDb: number;
  /** Mean of |h|^2 over the frame. */
  readonly gainPower: number;
  /** re, im, ... of each symbol. */
  readonly sent: readonly number[];
  readonly received: readonly number[];
  /** `received` with its gain taken out: y / h. */
  readonly equalised: readonly number[];
}

/** Watches the symbols of one link between `start` and `stop`; keeps the newest sample. */
export class SymbolFeed {
  readonly #emulator: PinnedClients<typeof ChannelEmulatorService.method>;
  readonly #linkId: string;
  readonly #framesPerSecond: number;
  #stop: (() => void) | undefined;
  #latest: SymbolView | undefined;
  #nextId = 1;

  constructor(
    emulator: PinnedClients<typeof ChannelEmulatorService.method>,
    options: { linkId: string; framesPerSecond: number },
  ) {
    this.#emulator = emulator;
    this.#linkId = options.linkId;
    this.#framesPerSecond = options.framesPerSecond;
  }

  /** The newest sample, unless it is the one with this id. */
  after(id: number): SymbolView | undefined {
    return this.#latest && this.#latest.id > id ? this.#latest : undefined;
  }

  start(): void {
    this.#stop ??= follow(
      () =>
        this.#emulator
          .clientOf(this.#linkId)
          ?.watchSymbols({ linkId: this.#linkId, maxFramesPerSecond: this.#framesPerSecond }),
      (sample) => {
        this.#latest = symbolView(sample, this.#nextId++);
      },
    );
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#latest = undefined;
  }
}

/** A sample as the page draws it; exported for its test. */
export function symbolView(sample: WatchSymbolsResponse, id: number): SymbolView {
  const { gains, channelUses } = sample;
  const sent = floats(sample.sent);
  const received = floats(sample.received);
  const block = Math.max(1, sample.blockSymbols);
  const equalised = received.slice();
  let power = 0;
  for (let i = 0; i + 1 < received.length; i += 2) {
    const at = 2 * Math.min(Math.floor(i / 2 / block), gains.length / 2 - 1);
    const re = gains[at] ?? 1;
    const im = gains[at + 1] ?? 0;
    const size = re * re + im * im;
    power += size;
    // A gain of next to nothing would throw the noise out of sight.
    const scale = Math.max(size, 1e-3);
    equalised[i] = (received[i]! * re + received[i + 1]! * im) / scale;
    equalised[i + 1] = (received[i + 1]! * re - received[i]! * im) / scale;
  }
  return {
    id,
    sequence: Number(sample.sequence),
    channelUses,
    model: sample.channelModel,
    snrDb: sample.snrDb,
    gainPower: rounded(power / Math.max(1, received.length / 2)),
    sent: Array.from(sent, rounded),
    received: Array.from(received, rounded),
    equalised: Array.from(equalised, rounded),
  };
}

function floats(iq: Uint8Array): Float32Array {
  const count = Math.min(2 * mostSymbols, iq.length >> 2);
  const view = new DataView(iq.buffer, iq.byteOffset, iq.byteLength);
  return Float32Array.from({ length: count }, (_, i) => view.getFloat32(4 * i, true));
}

function rounded(value: number): number {
  return Math.round(value * 1e3) / 1e3;
}
