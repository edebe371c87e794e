import type { LinkAnswer, LinkImage } from '../../../shared/client/link.js';

/** An image of the data set. */
export type TrafficImage = LinkImage & { readonly index: number; readonly label: number };

export interface TrafficOptions {
  /** Image of an index, from 0 to `count` - 1. */
  imageAt: (index: number) => TrafficImage;
  count: number;
  /** Sends one image; its answer is a result or a named error. */
  send: (image: TrafficImage) => Promise<LinkAnswer<unknown>>;
  onAnswer: (image: TrafficImage, answer: LinkAnswer<unknown>) => void;
  /** Images a second, over 0. */
  rate: number;
  /** Images without an answer at most: others are not sent. */
  maxInFlight?: number;
}

/** How often it looks what is due, ms. */
const tickMs = 10;

/**
 * Sends images at a steady rate, one after the other, over and over, while it runs. An image that is due while too many
 * have no answer is held back: it is counted and never sent, so a link that is slow or down is not stormed when it is back.
 */
export class Traffic {
  readonly #options: TrafficOptions;
  readonly #maxInFlight: number;
  #rate: number;
  #timer: NodeJS.Timeout | undefined;
  #dueAtMs = 0;
  #next = 0;
  #sent = 0;
  #heldBack = 0;
  readonly #inFlight = new Set<Promise<void>>();

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#rate = options.rate;
    this.#maxInFlight = options.maxInFlight ?? 64;
  }

  get rate(): number {
    return this.#rate;
  }

  /** Holds for images that are due later. */
  set rate(imagesPerSecond: number) {
    this.#rate = imagesPerSecond;
    this.#dueAtMs = Math.min(this.#dueAtMs, performance.now() + 1e3 / imagesPerSecond);
  }

  get running(): boolean {
    return this.#timer !== undefined;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Images that were due and not sent. */
  get heldBack(): number {
    return this.#heldBack;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  start(): void {
    if (this.#timer) return;
    this.#dueAtMs = performance.now();
    this.#timer = setInterval(() => this.#sendDue(), tickMs);
    this.#sendDue();
  }

  /** Sends no more. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Resolves when what was sent has its answer. */
  async settled(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  #sendDue(): void {
    const nowMs = performance.now();
    const intervalMs = 1e3 / this.#rate;
    // What is due for longer than a second, because this process was held up, is not made up for.
    this.#dueAtMs = Math.max(this.#dueAtMs, nowMs - 1e3);
    for (; this.#dueAtMs <= nowMs; this.#dueAtMs += intervalMs) {
      if (this.#inFlight.size >= this.#maxInFlight) this.#heldBack++;
      else this.#send();
    }
  }

  #send(): void {
    const { imageAt, count, send, onAnswer } = this.#options;
    const image = imageAt(this.#next);
    this.#next = (this.#next + 1) % count;
    this.#sent++;
    const sending = send(image).then(
      (answer) => onAnswer(image, answer),
      // The link answers everything; only a link that was closed in between does not.
      () => {},
    );
    this.#inFlight.add(sending);
    void sending.finally(() => this.#inFlight.delete(sending));
  }
}
