import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { LinkLabels } from './bounded-labels.js';
import { makeCounter, makeGauge, makeHistogram } from './instruments.js';
import { METRICS } from './names.js';
import { SeriesMetric } from './series-metric.js';

/** How long one frame took on the air, ms. */
export interface MeasuredTime {
  readonly airMs: number;
  readonly waitMs: number;
  readonly delayMs: number;
}

/** What a channel-emulator measures of its links besides their answers. */
export class ChannelMetrics {
  readonly #links: LinkLabels;
  readonly #air: Histogram.Internal<never>;
  readonly #wait: Histogram.Internal<never>;
  readonly #lost: SeriesMetric;
  readonly #feedback: Record<'delivered' | 'lost' | 'overflow', Counter.Internal>;
  readonly #changes: Record<'set' | 'reset' | 'scenario' | 'restore', Counter.Internal>;
  readonly #watchers: Gauge;
  readonly #symbolWatchers: Gauge;
  readonly #symbolSamples: Counter;
  #known: () => number = () => 0;
  #scenarios: () => number = () => 0;
  #held: () => number = () => 0;

  constructor(registry: Registry, links: LinkLabels) {
    this.#links = links;
    this.#air = makeHistogram<'airTime'>(registry, METRICS.airTime);
    this.#wait = makeHistogram<'airWait'>(registry, METRICS.airWait);
    this.#lost = new SeriesMetric(registry, METRICS.airLost);
    const feedback = makeCounter<'feedback'>(registry, METRICS.feedback);
    const fate = (name: string) => feedback.labels({ fate: name });
    this.#feedback = { delivered: fate('delivered'), lost: fate('lost'), overflow: fate('overflow') };
    const changes = makeCounter<'channelChanges'>(registry, METRICS.channelChanges);
    const by = (name: string) => changes.labels({ by: name });
    this.#changes = { set: by('set'), reset: by('reset'), scenario: by('scenario'), restore: by('restore') };
    for (const counter of [...Object.values(this.#feedback), ...Object.values(this.#changes)]) counter.inc(0);
    this.#watchers = makeGauge<'channelWatchers'>(registry, METRICS.channelWatchers);
    this.#symbolWatchers = makeGauge<'symbolWatchers'>(registry, METRICS.symbolWatchers);
    this.#symbolSamples = makeCounter<'symbolSamples'>(registry, METRICS.symbolSamples);
    makeGauge<'linksKnown'>(registry, METRICS.linksKnown, (gauge) => gauge.set(this.#known()));
    makeGauge<'scenariosRunning'>(registry, METRICS.scenariosRunning, (gauge) => gauge.set(this.#scenarios()));
    makeGauge<'framesHeld'>(registry, METRICS.framesHeld, (gauge) => gauge.set(this.#held()));
  }

  /** One frame on the air, in real time. */
  observeTime({ airMs, waitMs }: MeasuredTime): void {
    this.#air.observe(airMs / 1e3);
    if (waitMs > 0) this.#wait.observe(waitMs / 1e3);
  }

  /** A frame that the air did not carry: lost by the model, or refused because its link's air was taken for too long. */
  countLost(linkId: string, reason: 'erased' | 'queue_full'): void {
    this.#lost.of({ link: this.#links.fold(linkId), reason }).add(1);
  }

  countFeedback(fate: 'delivered' | 'lost' | 'overflow'): void {
    this.#feedback[fate].inc();
  }

  countChange(by: 'set' | 'reset' | 'scenario' | 'restore'): void {
    this.#changes[by].inc();
  }

  /** Counts a watcher of channels until the returned function is called. */
  watcherOpened(): () => void {
    return opened(this.#watchers);
  }

  /** Counts a watcher of symbols until the returned function is called. */
  symbolWatcherOpened(): () => void {
    return opened(this.#symbolWatchers);
  }

  /** A frame was shown to a watcher of symbols. */
  countSymbolSample(): void {
    this.#symbolSamples.inc();
  }

  /** What is measured at every scrape. */
  track(now: { links: () => number; scenarios: () => number; held: () => number }): void {
    this.#known = now.links;
    this.#scenarios = now.scenarios;
    this.#held = now.held;
  }
}

function opened(gauge: Gauge): () => void {
  gauge.inc();
  let open = true;
  return () => {
    if (open) gauge.dec();
    open = false;
  };
}
