import type { Metric, MetricObjectWithValues, MetricValue, Registry } from 'prom-client';
import type { MetricDefinition } from './names.js';

type ScrapedCounter = Omit<MetricObjectWithValues<MetricValue<string>>, 'collect'>;

/**
 * A counter with two labels of few known values each, that is added to once a frame: an addition to an array, where
 * prom-client's own looks its labels up. Only pairs that have been counted are shown.
 */
export class GridCounter {
  // What a registry of prom-client wants of a metric; for OpenMetrics it takes the suffix off the name.
  name: string;
  readonly help: string;
  readonly type = 'counter';
  readonly aggregator = 'sum';
  readonly #labels: readonly string[];
  readonly #rows: readonly string[];
  readonly #columns: readonly string[];
  readonly #counts: Float64Array;

  /**
   * @param definition a counter of names.ts with two labels
   * @param rows values of the first label
   * @param columns values of the second
   */
  constructor(
    registry: Registry,
    { name, help, labels }: MetricDefinition,
    rows: readonly string[],
    columns: readonly string[],
  ) {
    this.name = name;
    this.help = help;
    this.#labels = labels;
    this.#rows = rows;
    this.#columns = columns;
    this.#counts = new Float64Array(rows.length * columns.length);
    // The type lists prom-client's own classes; the registry calls name and get.
    registry.registerMetric(this as unknown as Metric);
  }

  /** Counts one more of the value at `row` of the first label and that at `column` of the second. */
  add(row: number, column: number): void {
    this.#counts[row * this.#columns.length + column]!++;
  }

  /** What prom-client's registry asks for at a scrape. */
  async get(): Promise<ScrapedCounter> {
    const [first, second] = this.#labels as [string, string];
    const values: MetricValue<string>[] = [];
    for (const [row, rowValue] of this.#rows.entries()) {
      for (const [column, columnValue] of this.#columns.entries()) {
        const value = this.#counts[row * this.#columns.length + column]!;
        if (value > 0) values.push({ labels: { [first]: rowValue, [second]: columnValue }, value });
      }
    }
    const { name, help, aggregator } = this;
    // A type of prom-client's that TypeScript knows only as an enum.
    return { name, help, type: this.type as unknown as ScrapedCounter['type'], aggregator, values };
  }

  reset(): void {
    this.#counts.fill(0);
  }
}
