import type { ServerResponse } from 'node:http';
import type { ConsoleMetrics } from '../../shared/telemetry/console-metrics.js';
import { History } from './feed/history.js';
import { PageStream } from './feed/page-stream.js';
import { type Cursor, updateJson } from './feed/update.js';
import { HttpError } from './http/http-error.js';
import type { LiveLink } from './live-link.js';
import type { ServiceWatch } from './watch/service-watch.js';

export interface LiveConsoleOptions {
  link: LiveLink;
  /** Transmitter, emulator, receiver. */
  watches: readonly ServiceWatch[];
  metrics: ConsoleMetrics;
  updateIntervalMs: number;
  maxPages: number;
}

/** Time that charts show, ms. */
const historyMs = 120_000;
/** After the last page has gone, work goes on for so long: pages are loaded anew. */
const lingerMs = 2_000;

/** Tells every open page what is new, several times a second; without a page everything rests. */
export class LiveConsole {
  readonly #options: LiveConsoleOptions;
  readonly #history: History;
  readonly #pages = new Map<PageStream, Cursor>();
  #timer: NodeJS.Timeout | undefined;
  #linger: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: LiveConsoleOptions) {
    this.#options = options;
    this.#history = new History(Math.ceil(historyMs / options.updateIntervalMs));
    options.metrics.trackPages(() => this.#pages.size);
  }

  /** Bytes that pages have not read yet. */
  get waitingBytes(): number {
    let bytes = 0;
    for (const page of this.#pages.keys()) bytes += page.waitingBytes;
    return bytes;
  }

  /** Serves one page until it goes away. @throws HttpError 503 when there are too many, or the console stops */
  open(response: ServerResponse): void {
    const { maxPages } = this.#options;
    if (this.#closed) throw new HttpError(503, 'The console is stopping.');
    if (this.#pages.size >= maxPages) {
      throw new HttpError(503, `${maxPages} pages are open, the most there may be; close one, or raise --max-pages.`);
    }
    const page = new PageStream(response);
    this.#pages.set(page, { setup: '', point: 0, image: 0, error: 0, symbols: 0 });
    this.#wake();
    this.#tell(page);
    response.once('close', () => {
      this.#pages.delete(page);
      if (this.#pages.size > 0) return;
      this.#linger = setTimeout(() => {
        this.#linger = undefined;
        this.#rest();
      }, lingerMs);
    });
  }

  /** Ends all pages' streams, and what they caused. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#linger);
    this.#rest();
    for (const page of this.#pages.keys()) page.end();
    for (const watch of this.#options.watches) watch.close();
    await this.#options.link.close();
  }

  #wake(): void {
    clearTimeout(this.#linger);
    this.#linger = undefined;
    if (this.#timer) return;
    this.#options.link.start();
    for (const watch of this.#options.watches) watch.start();
    this.#timer = setInterval(() => this.#update(), this.#options.updateIntervalMs);
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#options.link.stop();
    for (const watch of this.#options.watches) watch.stop();
  }

  #update(): void {
    const { link } = this.#options;
    const { accuracy, latencyMedianSeconds, latencyP95Seconds, snrDb } = link.answers.figures();
    const flowing = link.traffic.running;
    this.#history.add({
      atMs: Date.now(),
      snrDb: flowing ? snrDb : null,
      momentarySnrDb: flowing && snrDb !== null ? link.momentarySnrDb : null,
      channelUses: link.takeChannelUses(),
      accuracy: flowing ? accuracy : null,
      latencyMedianSeconds: flowing ? latencyMedianSeconds : null,
      latencyP95Seconds: flowing ? latencyP95Seconds : null,
    });
    for (const page of this.#pages.keys()) this.#tell(page);
  }

  #tell(page: PageStream): void {
    const { metrics } = this.#options;
    if (!page.takes) {
      metrics.countUpdate('skipped');
      return;
    }
    page.send('update', updateJson({ ...this.#options, history: this.#history }, this.#pages.get(page)!));
    metrics.countUpdate('sent');
  }
}
