import type { Metric, MetricObjectWithValues, MetricValue, Registry } from 'prom-client';
import type { MetricDefinition } from './names.js';
import { lineStart, type SelfRendering, writtenValue } from './sample-text.js';

type Scraped = Omit<MetricObjectWithValues<MetricValue<string>>, 'collect'>;

/** Series whose lines are kept together. */
const BLOCK_SERIES = 64;

/** One set of label values of a counter or gauge. */
export class Series {
  readonly labels: Readonly<Record<string, string>>;
  /** What comes before the value in a line of a scrape. */
  readonly line: string;
  readonly #block: Block;
  #value = 0;

  constructor(name: string, labels: Readonly<Record<string, string>>, block: Block) {
    this.labels = labels;
    this.line = lineStart(name, labels);
    this.#block = block;
  }

  get value(): number {
    return this.#value;
  }

  set value(value: number) {
    this.#value = value;
    this.#block.changed = true;
  }

  add(amount: number): void {
    this.value += amount;
  }

  set(value: number): void {
    this.value = value;
  }
}

/**
 * Some series of a metric and their lines as they were last written. Of many links that are known few are in use at a time,
 * so from scrape to scrape most lines stay what they were; what is kept is no more than what a scrape is long.
 */
class Block {
  readonly series: Series[] = [];
  /** Since the lines were written. */
  changed = true;
  #text = '';

  render(): string {
    if (!this.changed) return this.#text;
    let text = '';
    for (const { line, value } of this.series) text += `\n${line}${writtenValue(value)}`;
    this.#text = text;
    this.changed = false;
    return text;
  }
}

/**
 * A counter or gauge that is changed once a frame and has a series a link. Whoever counts holds the series, so counting is
 * an addition; a scrape writes again what has changed since the last one, where prom-client makes objects of all series,
 * sorts labels and escapes them anew.
 */
export class SeriesMetric implements SelfRendering {
  // What a registry of prom-client wants of a metric.
  name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly aggregator = 'sum';
  readonly #series = new Map<string, Series>();
  readonly #blocks: Block[] = [];

  /** @param definition a counter or gauge of names.ts */
  constructor(registry: Registry, { name, help, type }: MetricDefinition) {
    if (type === 'histogram') throw new TypeError(`${name} is a histogram`);
    this.name = name;
    this.help = help;
    this.type = type;
    // The type lists prom-client's own classes; the registry calls name and get.
    registry.registerMetric(this as unknown as Metric);
  }

  /** The series of these label values, in the order of the definition; the same every time, and shown from now on. */
  of(labels: Readonly<Record<string, string>>): Series {
    const key = Object.values(labels).join('\n');
    let series = this.#series.get(key);
    if (!series) {
      if (this.#series.size % BLOCK_SERIES === 0) this.#blocks.push(new Block());
      const block = this.#blocks.at(-1)!;
      series = new Series(this.name, labels, block);
      block.series.push(series);
      block.changed = true;
      this.#series.set(key, series);
    }
    return series;
  }

  render(openMetrics: boolean): string {
    const { help, type } = this;
    const family = openMetrics && type === 'counter' ? this.name.replace(/_total$/, '') : this.name;
    let text = `# HELP ${family} ${help}\n# TYPE ${family} ${type}`;
    for (const block of this.#blocks) text += block.render();
    return text;
  }

  /** What prom-client's registry asks for. */
  async get(): Promise<Scraped> {
    const { name, help, aggregator } = this;
    const values = [...this.#series.values()].map(({ labels, value }) => ({ labels: { ...labels }, value }));
    // A type of prom-client's that TypeScript knows only as an enum.
    return { name, help, type: this.type as unknown as Scraped['type'], aggregator, values };
  }

  reset(): void {
    for (const series of this.#series.values()) series.value = 0;
  }
}
