import { type ServiceName, STAGES } from '../../../shared/telemetry/index.js';
import { type MetricPage, readMetricPage } from './exposition.js';
import { HttpFailure, HttpPeer } from './http-get.js';
import { Rates } from './rates.js';
import { countersOf, figuresOf, type ServiceFigures } from './service-figures.js';

/** up: takes work; not-ready: lives and says why it does not; down: does not answer; unknown: was not asked yet. */
export type ServiceState = 'up' | 'not-ready' | 'down' | 'unknown';

/** What the page shows of one service. */
export interface ServiceView {
  readonly role: ServiceName;
  readonly state: ServiceState;
  /** Why it is not up, for a person. */
  readonly reason: string;
  /** When the state began, ms since the Unix epoch. */
  readonly sinceMs: number;
  /** From its latest metrics; undefined while there are none. */
  readonly figures: ServiceFigures | undefined;
}

export interface ServiceWatchOptions {
  role: ServiceName;
  /** `host:port` of /metrics and /readyz. */
  address: string;
  /** The console's link. */
  linkId: string;
  probeIntervalMs: number;
  metricsIntervalMs: number;
  /** Hears when the state has changed. */
  onState?: (view: ServiceView) => void;
}

/** Silences in a row, each `silenceMs` long, after which a service counts as down; a refused connection counts at once. */
const mostSilences = 2;
const silenceMs = 600;
const metricsLimitMs = 2_000;

/** Asks one service again and again whether it is ready, and reads its metrics, between `start` and `stop`. */
export class ServiceWatch {
  readonly #options: ServiceWatchOptions;
  readonly #peer: HttpPeer;
  readonly #rates = new Rates();
  #state: ServiceState = 'unknown';
  #reason = 'not asked yet';
  #sinceMs = Date.now();
  #silences = 0;
  #figures: ServiceFigures | undefined;
  /** Which start the loops belong to; 0: stopped. */
  #round = 0;
  #rounds = 0;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(options: ServiceWatchOptions) {
    this.#options = options;
    this.#peer = new HttpPeer(options.address);
  }

  get view(): ServiceView {
    const { role } = this.#options;
    return { role, state: this.#state, reason: this.#reason, sinceMs: this.#sinceMs, figures: this.#figures };
  }

  start(): void {
    if (this.#round !== 0) return;
    this.#round = ++this.#rounds;
    const { probeIntervalMs, metricsIntervalMs } = this.#options;
    this.#loop(() => this.#probe(), probeIntervalMs, this.#round);
    this.#loop(() => this.#read(), metricsIntervalMs, this.#round);
  }

  /** Ends the asking. What was known is forgotten: it ages. */
  stop(): void {
    this.#round = 0;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#rates.clear();
    this.#figures = undefined;
    this.#silences = 0;
    this.#change('unknown', 'not asked while no page is open');
  }

  close(): void {
    this.stop();
    this.#peer.close();
  }

  /** Runs `ask` at most every `intervalMs`, one at a time. */
  #loop(ask: () => Promise<void>, intervalMs: number, round: number): void {
    const begun = performance.now();
    void ask().finally(() => {
      if (round !== this.#round) return;
      const timer = setTimeout(
        () => {
          this.#timers.delete(timer);
          this.#loop(ask, intervalMs, round);
        },
        Math.max(0, intervalMs - (performance.now() - begun)),
      );
      this.#timers.add(timer);
    });
  }

  async #probe(): Promise<void> {
    const round = this.#round;
    try {
      const { status, body } = await this.#peer.get('/readyz', silenceMs);
      if (round !== this.#round) return;
      this.#silences = 0;
      if (status === 200) this.#change('up', '');
      else
        this.#change(
          'not-ready',
          body
            .trim()
            .replace(/^not ready: /, '')
            .slice(0, 200) || `status ${status}`,
        );
    } catch (error) {
      if (round === this.#round) this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    const refused = error instanceof HttpFailure && error.refused;
    if (!refused && ++this.#silences < mostSilences) return;
    const why = error instanceof Error ? error.message : String(error);
    this.#change('down', `${this.#options.address}: ${why}`);
    this.#figures = undefined;
    this.#rates.clear();
  }

  async #read(): Promise<void> {
    const round = this.#round;
    let page: MetricPage;
    try {
      const { status, body } = await this.#peer.get('/metrics', metricsLimitMs);
      if (round !== this.#round || status !== 200) return;
      page = readMetricPage(body);
    } catch {
      // The probe says what is wrong.
      return;
    }
    if (this.#state === 'down') return;
    const { role, linkId } = this.#options;
    this.#rates.add(performance.now(), countersOf(page, linkId));
    this.#figures = figuresOf(page, this.#rates, linkId, stagesOf(role));
  }

  #change(state: ServiceState, reason: string): void {
    const changed = state !== this.#state;
    this.#reason = reason;
    if (!changed) return;
    this.#state = state;
    this.#sinceMs = Date.now();
    this.#options.onState?.(this.view);
  }
}

function stagesOf(role: ServiceName): string[] {
  return Object.entries(STAGES)
    .filter(([, { service }]) => service === role)
    .map(([stage]) => stage);
}
