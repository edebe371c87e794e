import type { ChannelSettings } from '../../../shared/channel/channel-config.js';
import { checkSettings } from '../../../shared/channel/check-settings.js';
import type { ExternalSettings } from '../../../shared/channel/external.js';
import { type ChannelEffect, noisePowerOf } from '../../../shared/channel/model.js';
import { ExternalConnection } from './external-connection.js';
import { estimateChannel, knownSymbols } from './known-symbols.js';
import type { OutsideChannel } from './outside-channel.js';

/** Connections that are kept though no link uses them. */
const mostUnused = 16;

/** The settings of a link whose channel is an outside process. */
export type ExternalChannelSettings = Extract<ChannelSettings, { model: 'external' }>;

/**
 * The outside processes: one connection for each, shared by all links that name the same form and addresses. It stays open
 * when no link uses it any more, for a peer that asks with a request socket cannot ask twice: only the last 16 unused ones
 * are kept, and none that binds an address which another one needs. What is agreed with a process beyond that (its delay, blocks and time limit) holds for
 * all of them, as it was set last; pilots are each link's own.
 */
export class ExternalChannels {
  readonly #onState: (sentence: string) => void;
  readonly #open = new Map<string, { external: ExternalSettings; connection: ExternalConnection; users: number }>();

  /** `onState`: a sentence when a process comes, goes or answers wrong. */
  constructor(onState: (sentence: string) => void = () => {}) {
    this.#onState = onState;
  }

  /** Bytes of frames that wait for a process or are with it. */
  get queuedBytes(): number {
    let bytes = 0;
    for (const { connection } of this.#open.values()) bytes += connection.queuedBytes;
    return bytes;
  }

  /** The channel of these settings; sockets open in the background. @throws SemlinkError INVALID_ARGUMENT */
  channel(settings: ExternalChannelSettings): OutsideChannel {
    checkSettings(settings);
    const { snrDb, external } = settings;
    const { form, send, receive } = external;
    const key = JSON.stringify([form, send, receive]);
    let shared = this.#open.get(key);
    if (!shared) {
      this.#closeUnused((other) => other.send === send || other.receive === receive);
      shared = {
        external,
        connection: new ExternalConnection({ settings: external, onState: this.#onState }),
        users: 0,
      };
      this.#open.set(key, shared);
    }
    shared.users++;
    shared.connection.adopt(external);
    const { connection } = shared;
    let closed = false;
    return {
      name: 'external',
      snrDb,
      applyLater: (symbols, out) => withPilots(connection, symbols, out, external.pilotSymbols, snrDb),
      close: () => {
        if (closed) return;
        closed = true;
        this.#leave(key);
      },
    };
  }

  #leave(key: string): void {
    const shared = this.#open.get(key);
    if (!shared) return;
    shared.users--;
    if (shared.users > 0) return;
    // To the end: unused for the shortest time.
    this.#open.delete(key);
    this.#open.set(key, shared);
    let unused = [...this.#open.values()].filter(({ users }) => users === 0).length;
    this.#closeUnused(() => unused-- > mostUnused);
  }

  #closeUnused(which: (external: ExternalSettings) => boolean): void {
    for (const [key, { connection, users, external }] of this.#open) {
      if (users > 0 || !which(external)) continue;
      this.#open.delete(key);
      connection.close();
    }
  }

  close(): void {
    for (const { connection } of this.#open.values()) connection.close();
    this.#open.clear();
  }
}

async function withPilots(
  connection: ExternalConnection,
  symbols: Float32Array,
  out: Float32Array,
  pilotSymbols: number,
  snrDb: number,
): Promise<ChannelEffect> {
  const blockSymbols = symbols.length / 2;
  if (pilotSymbols === 0) {
    await connection.send(symbols, out);
    return { gains: [1, 0], blockSymbols, noisePower: noisePowerOf(snrDb) };
  }
  const pilots = knownSymbols(pilotSymbols);
  const both = new Float32Array(pilots.length + symbols.length);
  both.set(pilots);
  both.set(symbols, pilots.length);
  await connection.send(both, both);
  out.set(both.subarray(pilots.length));
  const { gain, noisePower } = estimateChannel(pilots, both.subarray(0, pilots.length), snrDb);
  return { gains: gain, blockSymbols, noisePower };
}
