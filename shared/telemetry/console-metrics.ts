import type { Counter, Registry } from 'prom-client';
import { makeCounter, makeGauge } from './instruments.js';
import { METRICS } from './names.js';

/** What a console measures of its pages. */
export class ConsoleMetrics {
  readonly #updates: Record<'sent' | 'skipped', Counter.Internal>;
  #pages: () => number = () => 0;

  constructor(registry: Registry) {
    makeGauge<'consolePages'>(registry, METRICS.consolePages, (gauge) => gauge.set(this.#pages()));
    const updates = makeCounter<'consoleUpdates'>(registry, METRICS.consoleUpdates);
    this.#updates = { sent: updates.labels({ outcome: 'sent' }), skipped: updates.labels({ outcome: 'skipped' }) };
    for (const counter of Object.values(this.#updates)) counter.inc(0);
  }

  /** skipped: the page had not read what was sent before. */
  countUpdate(outcome: 'sent' | 'skipped'): void {
    this.#updates[outcome].inc();
  }

  /** Open pages, measured at every scrape. */
  trackPages(pages: () => number): void {
    this.#pages = pages;
  }
}
