import { invalidArgument } from '../rpc/errors.js';

/**
 * How symbols travel to an outside process and back over ZeroMQ. In every form a message is raw cf32 (interleaved
 * little-endian binary32 I and Q), a message is any whole number of symbols, and the process gives back exactly as many
 * symbols as it takes. The end that sends binds, the end that receives connects.
 *
 * - `push-pull`: GNU Radio's ZMQ PULL Source takes, its ZMQ PUSH Sink gives back.
 * - `req-rep`: GNU Radio's ZMQ REQ Source and ZMQ REP Sink: whoever receives asks with a uint32, the greatest number of
 *   symbols it takes.
 * - `srsran`: as srsRAN's RF driver (`device_name = zmq`): whoever receives asks with one byte, 0xff, and takes what
 *   comes. Requests of either kind are understood in both REQ/REP forms; the form says which kind the emulator sends.
 */
export const externalForms = ['push-pull', 'req-rep', 'srsran'] as const;
export type ExternalForm = (typeof externalForms)[number];

/** Where an outside process is that acts as the channel, and what is agreed with it. */
export interface ExternalSettings {
  form: ExternalForm;
  /** ZeroMQ address on which symbols go out; the emulator binds it. `tcp://127.0.0.1:5555`, `ipc:///run/air`. */
  send: string;
  /** ZeroMQ address from which they come back; the process binds it. */
  receive: string;
  /** A frame fails when nothing came back for so long, ms, 1 to 600,000. */
  timeoutMs: number;
  /**
   * Symbols by which what comes back lags behind (filters, a GNU Radio Delay block), 0 to 65,536. The lag is found with
   * known symbols when the process connects; this one counts where noise or fading hides them.
   */
  delaySymbols: number;
  /**
   * The process works in blocks of so many symbols, 1 to 65,536: a burst is filled up with zeros to whole blocks. GNU
   * Radio's scheduler leaves what is no multiple of its vector width (8 with AVX-512) lying until more comes, so 1 is
   * for processes that do not.
   */
  multipleSymbols: number;
  /**
   * Known symbols sent before each frame, 0 to 1,024, not counted as channel uses. The receiver is told the gain and the
   * noise power estimated from them. With 0 it is told a gain of 1 and the N0 of the declared SNR, so the process must
   * only add noise. One pilot cannot tell noise from gain: N0 stays the declared one.
   */
  pilotSymbols: number;
}

export const externalDefaults: ExternalSettings = {
  form: 'push-pull',
  send: 'tcp://127.0.0.1:50060',
  receive: 'tcp://127.0.0.1:50061',
  timeoutMs: 1_000,
  delaySymbols: 0,
  multipleSymbols: 64,
  pilotSymbols: 0,
};

export const externalLimits = {
  timeoutMs: 600_000,
  delaySymbols: 65_536,
  multipleSymbols: 65_536,
  pilotSymbols: 1_024,
};

/** @throws SemlinkError INVALID_ARGUMENT naming the setting, its value and what is allowed */
export function checkExternal(settings: ExternalSettings): void {
  if (!externalForms.includes(settings.form)) {
    throw invalidArgument('external.form', settings.form, `use ${externalForms.join(', ')}`);
  }
  checkAddress('send', settings.send);
  checkAddress('receive', settings.receive);
  if (settings.send === settings.receive) {
    throw invalidArgument(
      'external.receive',
      settings.receive,
      'symbols go out there; give the way back its own address',
    );
  }
  const least = { timeoutMs: 1, delaySymbols: 0, multipleSymbols: 1, pilotSymbols: 0 };
  for (const name of Object.keys(least) as (keyof typeof least)[]) {
    const value = settings[name];
    if (!(Number.isInteger(value) && value >= least[name] && value <= externalLimits[name])) {
      const range = `use a whole number of ${least[name]} to ${externalLimits[name]}`;
      throw invalidArgument(`external.${name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)}`, value, range);
    }
  }
}

function checkAddress(name: 'send' | 'receive', address: string): void {
  const port = /^tcp:\/\/(?:\*|[^\s:/]+|\[[0-9a-f:]+\]):(\d{1,5})$/i.exec(address)?.[1];
  const good = port === undefined ? /^ipc:\/\/[^\s]+$/.test(address) : Number(port) >= 1 && Number(port) <= 65_535;
  const wild = name === 'receive' && address.startsWith('tcp://*');
  if (good && !wild && address.length <= 256) return;
  const example = name === 'send' ? 'tcp://127.0.0.1:50060 or tcp://*:50060' : 'tcp://127.0.0.1:50061';
  throw invalidArgument(`external.${name}`, address, `use a ZeroMQ address such as ${example}, or ipc:///path`);
}
