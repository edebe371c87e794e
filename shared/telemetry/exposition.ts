import { Registry, type RegistryContentType } from 'prom-client';

/** One scrape's answer. */
export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

/**
 * Renders a registry for scrapers. One at a time: prom-client reads the format again for every metric while it renders,
 * and the OpenMetrics format takes `_total` off the counters' names for good, so both are put back afterwards.
 */
export class ExpositionWriter {
  readonly #registry: Registry;
  #last: Promise<unknown> = Promise.resolve();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** @param accept the request's Accept header */
  render(accept: string | undefined): Promise<Exposition> {
    const openMetrics = accept?.includes('application/openmetrics-text') ?? false;
    const rendered = this.#last.then(() => (openMetrics ? this.#renderOpenMetrics() : this.#renderText()));
    this.#last = rendered.catch(() => undefined);
    return rendered;
  }

  async #renderText(): Promise<Exposition> {
    return { contentType: Registry.PROMETHEUS_CONTENT_TYPE, body: await this.#registry.metrics() };
  }

  async #renderOpenMetrics(): Promise<Exposition> {
    // A registry's type fixes its format at compile time; this one changes for the length of one scrape.
    const registry: Registry<RegistryContentType> = this.#registry;
    const metrics = this.#registry.getMetricsAsArray();
    const names = metrics.map((metric) => metric.name);
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    try {
      return { contentType: Registry.OPENMETRICS_CONTENT_TYPE, body: await this.#registry.metrics() };
    } finally {
      registry.setContentType(Registry.PROMETHEUS_CONTENT_TYPE);
      metrics.forEach((metric, index) => {
        metric.name = names[index] ?? metric.name;
      });
    }
  }
}
