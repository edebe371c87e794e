import type { ExternalSettings } from '../../../shared/channel/external.js';
import { Code, resourceExhausted, SemlinkError } from '../../../shared/rpc/errors.js';
import { Exchange, type ExchangeEnd } from './exchange.js';
import { knownSymbols, lagOf } from './known-symbols.js';

/** Most symbols sent at once, unless one frame alone is longer. */
const burstSymbols = 16_384;
/** Known symbols by which a lag is found: at -7 dB still without error. */
const probeSymbols = 512;
/** Least number of symbols that are looked through for a lag. */
const lagRoom = 1_024;
/** Known symbols are sent so many times while a process keeps back what it takes. */
const probeAttempts = 3;
/** Most symbols that are waited for when they are late, and dropped when they are too many. */
const most = 131_072;
const none = new Float32Array(0);

interface Waiting {
  symbols: Float32Array;
  out: Float32Array;
  resolve: () => void;
  reject: (error: SemlinkError) => void;
}

export interface ExternalConnectionOptions {
  settings: ExternalSettings;
  /** Bytes of frames that wait for the process; beyond it frames fail. Default 8 MiB. */
  maxQueueBytes?: number;
  /** A sentence when something happened to the process. */
  onState?: (sentence: string) => void;
}

/**
 * An outside process that takes symbols and gives as many back, shared by all links that name the same addresses.
 *
 * The stream has no marks: which symbol belongs to which frame is known by counting alone. So frames go out in bursts
 * (all that wait, up to 16,384 symbols), and the next burst leaves when everything of the one before has come back.
 *
 * When a process has connected, 512 known symbols are sent ahead of the first burst. Where they come back shows by how
 * many symbols the process lags (what is declared as `delaySymbols` counts only where noise or fading hides them), and a
 * process that keeps some symbols back has filled up by it. A burst is followed by so many zeros, and so many symbols at
 * the start of what comes back are dropped.
 *
 * When less comes back than went out, the frames concerned fail and the connection is out of step: what is late is waited
 * for and dropped; when it stays away, known symbols are sent again. Nothing is ever taken for a symbol of another frame.
 */
export class ExternalConnection {
  #settings: ExternalSettings;
  readonly #maxQueueBytes: number;
  readonly #onState: (sentence: string) => void;
  readonly #exchange: Exchange;
  #waiting: Waiting[] = [];
  #queuedBytes = 0;
  #running = false;
  #closed = false;
  /** Undefined: nothing; else symbols that went out and have not come back. */
  #missing: number | undefined;
  /** Where symbols come back is not known, or not any more. */
  #unaligned = true;
  /** The process went away: what it left under way is dropped before anything else. */
  #restarted = false;
  /** Symbols by which the process lags, as known symbols have shown or as declared. */
  #lag: number;
  #connectedWaiters: (() => void)[] = [];
  /** What the last wait for a connection ended in: while a process is known to be away, frames fail at once. */
  #absent = false;

  constructor({ settings, maxQueueBytes = 8 * 1024 * 1024, onState = () => {} }: ExternalConnectionOptions) {
    this.#settings = settings;
    this.#lag = settings.delaySymbols;
    this.#maxQueueBytes = maxQueueBytes;
    this.#onState = onState;
    this.#exchange = new Exchange(settings, (connected) => this.#connectedChanged(connected));
    // Ahead of the first frame, so that the process can connect.
    this.#exchange.open().catch((error: unknown) => this.#onState(this.#openProblem(error).message));
  }

  /** The process in words, for messages. */
  get name(): string {
    const { form, send, receive } = this.#settings;
    return `the external process (${form}, symbols out on ${send}, back from ${receive})`;
  }

  /** Other time limit, delay and blocks from the next burst on; form and addresses stay. */
  adopt({ timeoutMs, delaySymbols, multipleSymbols }: ExternalSettings): void {
    const changed = delaySymbols !== this.#settings.delaySymbols || multipleSymbols !== this.#settings.multipleSymbols;
    this.#settings = { ...this.#settings, timeoutMs, delaySymbols, multipleSymbols };
    if (changed) this.#unaligned = true;
  }

  /** Bytes of frames that wait or are with the process. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Sends n symbols; resolves when as many came back, which are in `out` then. In the order of the calls.
   * @param symbols 2n numbers, left alone until the promise settles; `out` may be the same array
   */
  send(symbols: Float32Array, out: Float32Array): Promise<void> {
    if (this.#queuedBytes + symbols.byteLength > this.#maxQueueBytes) {
      const todo = `${this.name} is slower than frames come (limit ${this.#maxQueueBytes}); send fewer`;
      return Promise.reject(resourceExhausted('bytes that wait', this.#queuedBytes, todo));
    }
    this.#queuedBytes += symbols.byteLength;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ symbols, out, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  close(): void {
    this.#closed = true;
    for (const go of this.#connectedWaiters.splice(0)) go();
    this.#exchange.close();
    this.#failAll(new SemlinkError(Code.CANCELLED, `${this.name} is no channel any more; send again`));
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const problem = (await this.#connect()) ?? (await this.#getInStep());
      if (problem) this.#failAll(problem);
      else await this.#sendBurst(this.#takeBurst());
    }
    this.#running = false;
  }

  /** Undefined, or why there is no process. */
  async #connect(): Promise<SemlinkError | undefined> {
    try {
      await this.#exchange.open();
    } catch (error) {
      return this.#openProblem(error);
    }
    if (this.#exchange.connected) return undefined;
    const { timeoutMs } = this.#settings;
    if (!this.#absent && !this.#closed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#connectedWaiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
      this.#connectedWaiters = [];
    }
    if (this.#exchange.connected) return undefined;
    this.#absent = true;
    return new SemlinkError(Code.UNAVAILABLE, `${this.name} is not connected; start it and check both addresses`);
  }

  #takeBurst(): Waiting[] {
    let symbols = 0;
    let count = 0;
    for (const { symbols: one } of this.#waiting) {
      symbols += one.length / 2;
      if (count > 0 && symbols > burstSymbols) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #sendBurst(frames: Waiting[]): Promise<void> {
    const { multipleSymbols, timeoutMs } = this.#settings;
    const lag = this.#lag;
    let symbols = 0;
    for (const frame of frames) symbols += frame.symbols.length / 2;
    const total = wholeBlocks(symbols + lag, multipleSymbols);
    const sent = new Float32Array(2 * total);
    let at = 0;
    for (const frame of frames) {
      sent.set(frame.symbols, at);
      at += frame.symbols.length;
    }
    const received = new Float32Array(2 * total);
    let next = 0;
    let start = 2 * lag;
    const { end, symbols: there } = await this.#exchange.run(sent, received, timeoutMs, (soFar) => {
      for (let frame = frames[next]; frame; frame = frames[next]) {
        const stop = start + frame.symbols.length;
        if (2 * soFar < stop) break;
        this.#arrived(frame, received.subarray(start, stop));
        start = stop;
        next++;
      }
    });
    if (end === 'all') return;
    if (end !== 'gone') this.#missing = total - there;
    const problem = this.#problem(end, there, total);
    this.#onState(problem.message);
    for (const frame of frames.slice(next)) this.#reject(frame, problem);
  }

  /** Why a burst of `total` symbols, of which `there` came back, has failed. */
  #problem(end: Exclude<ExchangeEnd, 'all'>, there: number, total: number): SemlinkError {
    const { timeoutMs } = this.#settings;
    const back = `${there} of the ${total} symbols of the burst`;
    switch (end) {
      case 'gone':
        return new SemlinkError(
          Code.UNAVAILABLE,
          `${this.name} went away when it had given back ${back}; start it and send again`,
        );
      case 'ragged':
        return new SemlinkError(
          Code.DATA_LOSS,
          `${this.name} sent a message that is no whole number of symbols; it must send cf32, 8 bytes a symbol`,
        );
      case 'slow':
        return new SemlinkError(
          Code.DEADLINE_EXCEEDED,
          `${this.name} gave back ${back} in ten times ${timeoutMs} ms; it is too slow: raise timeout_ms or send less`,
        );
      case 'quiet':
        if (there > 0) {
          const todo = 'it must give back as many symbols as it takes';
          const sentence = `${this.name} answered short: it gave back ${back} and nothing more for ${timeoutMs} ms; ${todo}`;
          return new SemlinkError(Code.DATA_LOSS, sentence);
        }
        return new SemlinkError(
          Code.DEADLINE_EXCEEDED,
          `${this.name} gave nothing back within ${timeoutMs} ms; it is stuck, or works in blocks of more than ${total} symbols (set multiple_symbols)`,
        );
    }
  }

  /** Undefined once symbols can be told apart by counting, or why not. */
  async #getInStep(): Promise<SemlinkError | undefined> {
    const surplus = this.#exchange.surplus > 0;
    const missing = Math.min(this.#missing ?? 0, most);
    if (missing > 0 && !surplus && !this.#restarted) {
      // What is late: exactly what is missing, and all is well. With symbols beyond it, it cannot be told from them.
      const { end, symbols } = await this.#exchange.run(none, new Float32Array(2 * missing), this.#settings.timeoutMs);
      if (end === 'gone') return this.#problem(end, symbols, missing);
      if (end === 'all') this.#missing = undefined;
    }
    if (this.#missing !== undefined || surplus) this.#unaligned = true;
    if (this.#missing !== undefined || surplus || this.#restarted) {
      const problem = await this.#dropRest();
      if (problem) return problem;
    }
    return this.#unaligned ? this.#align() : undefined;
  }

  /** Drops what comes until nothing does. */
  async #dropRest(): Promise<SemlinkError | undefined> {
    const dropped = new Float32Array(2 * most);
    const { end } = await this.#exchange.run(none, dropped, Math.min(this.#settings.timeoutMs, 100));
    if (end === 'gone') return this.#problem(end, 0, 0);
    this.#exchange.surplus = 0;
    this.#restarted = false;
    this.#missing = end === 'quiet' ? undefined : 0;
    if (end === 'quiet') return undefined;
    const sentence = `${this.name} sends symbols that it was not given; it must give back one symbol for each it takes`;
    return new SemlinkError(Code.DATA_LOSS, sentence);
  }

  /** Sends known symbols and looks where they come back. */
  async #align(): Promise<SemlinkError | undefined> {
    const { timeoutMs, multipleSymbols, delaySymbols } = this.#settings;
    const room = Math.max(lagRoom, 2 * delaySymbols);
    const probe = knownSymbols(wholeBlocks(probeSymbols + room, multipleSymbols));
    const total = probe.length / 2;
    for (let attempt = 1; ; attempt++) {
      const back = new Float32Array(probe.length);
      const { end, symbols } = await this.#exchange.run(probe, back, timeoutMs);
      if (end === 'all') {
        const lag = lagOf(probe.subarray(0, 2 * probeSymbols), back, room);
        this.#lag = lag ?? delaySymbols;
        this.#unaligned = false;
        const seen = lag === undefined ? 'as declared: noise or fading hides known symbols' : 'as known symbols show';
        this.#onState(`${this.name} is in step and lags by ${this.#lag} symbols, ${seen}`);
        return undefined;
      }
      // Some are kept back: by now the process may be full, and give back as many as it takes.
      if (end === 'quiet' && symbols > 0 && attempt < probeAttempts) continue;
      if (end !== 'gone') this.#missing = total - symbols;
      return this.#problem(end, symbols, total);
    }
  }

  #openProblem(error: unknown): SemlinkError {
    const { code, message } = error as NodeJS.ErrnoException;
    const { send } = this.#settings;
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
      const todo = 'install the npm package zeromq, which has binaries for Linux, macOS and Windows';
      return new SemlinkError(Code.UNIMPLEMENTED, `the model external needs ZeroMQ, which cannot be loaded: ${todo}`);
    }
    return new SemlinkError(
      Code.UNAVAILABLE,
      `the channel-emulator cannot bind ${send} for ${this.name}: ${message}; free the address, or choose another`,
    );
  }

  #connectedChanged(connected: boolean): void {
    this.#onState(`${this.name} is ${connected ? 'connected' : 'gone'}`);
    // A process that comes has nothing of the one that went, but messages of that one may still be under way.
    this.#missing = undefined;
    this.#unaligned = true;
    if (!connected) {
      this.#restarted = true;
      return;
    }
    this.#absent = false;
    for (const go of this.#connectedWaiters.splice(0)) go();
  }

  #arrived(frame: Waiting, received: Float32Array): void {
    for (let i = 0; i < received.length; i++) {
      if (Number.isFinite(received[i]!)) continue;
      const part = i % 2 === 0 ? 'I' : 'Q';
      const sentence = `${this.name} gave back ${received[i]} as ${part} of symbol ${i >> 1}; every component must be a finite number`;
      this.#reject(frame, new SemlinkError(Code.DATA_LOSS, sentence));
      return;
    }
    frame.out.set(received);
    this.#queuedBytes -= frame.symbols.byteLength;
    frame.resolve();
  }

  #reject(frame: Waiting, error: SemlinkError): void {
    this.#queuedBytes -= frame.symbols.byteLength;
    frame.reject(error);
  }

  #failAll(error: SemlinkError): void {
    for (const frame of this.#waiting.splice(0)) this.#reject(frame, error);
  }
}

function wholeBlocks(symbols: number, block: number): number {
  return Math.ceil(symbols / block) * block;
}
