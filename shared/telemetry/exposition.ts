import { setImmediate } from 'node:timers/promises';
import { type MetricObject, Registry, type RegistryContentType } from 'prom-client';
import { rendersItself } from './sample-text.js';

/** One scrape's answer. */
export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

/**
 * Bytes written after which the event loop gets a turn: a few milliseconds of work, a thousand links. Not fewer, for under
 * load a turn takes longer than that, and a scrape waits for each.
 */
const TURN_BYTES = 512 * 1024;

/**
 * Renders a registry for scrapers, one metric after the other: a thousand links in one turn of the event loop, more of them
 * in several, so that no frame is held up for long.
 * One scrape at a time: prom-client has one format for all of a registry, and the OpenMetrics format takes `_total` off the
 * counters' names for good, so both are put back after each metric.
 */
export class ExpositionWriter {
  readonly #registry: Registry<RegistryContentType>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(registry: Registry) {
    // A registry's type fixes its format at compile time; this one changes for the length of one metric.
    this.#registry = registry;
  }

  /** @param accept the request's Accept header */
  render(accept: string | undefined): Promise<Exposition> {
    const openMetrics = wantsOpenMetrics(accept ?? '');
    const rendered = this.#last.then(() => this.#render(openMetrics));
    this.#last = rendered.catch(() => undefined);
    return rendered;
  }

  async #render(openMetrics: boolean): Promise<Exposition> {
    const contentType = openMetrics ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE;
    const parts: string[] = [];
    let sinceTurn = 0;
    for (const metric of this.#registry.getMetricsAsArray()) {
      const text = await this.#renderOne(metric, contentType);
      parts.push(text);
      sinceTurn += text.length;
      if (sinceTurn < TURN_BYTES) continue;
      sinceTurn = 0;
      await setImmediate();
    }
    if (openMetrics) return { contentType, body: `${parts.join('\n')}\n# EOF\n` };
    return { contentType, body: `${parts.join('\n\n')}\n` };
  }

  async #renderOne(given: MetricObject, contentType: RegistryContentType): Promise<string> {
    if (rendersItself(given)) return given.render(contentType === Registry.OPENMETRICS_CONTENT_TYPE);
    // prom-client's types leave both out.
    const metric = given as unknown as { name: string; readonly type: string };
    const { name, type } = metric;
    this.#registry.setContentType(contentType);
    try {
      if (contentType === Registry.OPENMETRICS_CONTENT_TYPE && type === 'counter') {
        metric.name = name.replace(/_total$/, '');
      }
      return await this.#registry.getSingleMetricAsString(name);
    } finally {
      this.#registry.setContentType(Registry.PROMETHEUS_CONTENT_TYPE);
      metric.name = name;
    }
  }
}

/**
 * Whether a scraper takes OpenMetrics at least as gladly as the text format, from its Accept header. Wildcards ask for the
 * text format, which everything reads.
 */
export function wantsOpenMetrics(accept: string): boolean {
  let openMetrics = 0;
  let text = 0;
  for (const entry of accept.split(',')) {
    const [type = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase());
    const given = parameters.find((one) => one.startsWith('q='))?.slice(2);
    const quality = given === undefined ? 1 : Number(given) || 0;
    if (type === 'application/openmetrics-text') openMetrics = Math.max(openMetrics, quality);
    if (type === 'text/plain') text = Math.max(text, quality);
  }
  return openMetrics > 0 && openMetrics >= text;
}
