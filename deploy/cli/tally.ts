import type { FrameResult } from '../../shared/gen/semlink/v1/frame_pb.js';
import { codeName } from '../../shared/rpc/errors.js';
import { LatencyHistogram } from './latency-histogram.js';

/** Sums over some answers. */
export class Sums {
  received = 0;
  errors = 0;
  labelled = 0;
  correct = 0;
  channelUses = 0;
  payloadBytes = 0;
  readonly latency = new LatencyHistogram();

  add(result: FrameResult, latencySeconds: number): void {
    const { outcome } = result;
    if (outcome.case !== 'classification') {
      this.errors++;
      return;
    }
    this.received++;
    this.channelUses += result.channelUses;
    this.payloadBytes += result.payloadBytes;
    this.latency.add(latencySeconds);
    if (result.trueLabel === undefined) return;
    this.labelled++;
    if (outcome.value.label === result.trueLabel) this.correct++;
  }

  /** 0 to 1; undefined when no label is known. */
  get accuracy(): number | undefined {
    return this.labelled > 0 ? this.correct / this.labelled : undefined;
  }

  get meanChannelUses(): number {
    return this.received > 0 ? this.channelUses / this.received : 0;
  }
}

/** What `--json` writes. */
export interface Summary {
  images_sent: number;
  /** Answered by a classification. */
  results_received: number;
  /** Answered by a named error; with results_received it makes images_sent. */
  errors: number;
  /** By "CODE origin: message". */
  errors_by_message: Record<string, number>;
  /** Of labelled images, 0 to 1; null when no label is known. */
  accuracy: number | null;
  accuracy_by_snr_db: Record<string, number | null>;
  mean_channel_uses: number;
  mean_channel_uses_by_snr_db: Record<string, number>;
  latency_seconds: { p50: number; p95: number; p99: number };
  images_per_second: number;
  payload_bytes_per_image: number;
  /** Of the channel; null when it is not known. */
  seed: number | null;
  versions: Record<string, string>;
}

/** Distinct error messages told apart; the rest are counted together. */
const ERROR_MESSAGES = 20;

/** Sums over all answers of a run, and by the SNR on the air. */
export class Tally {
  readonly all = new Sums();
  readonly bySnrDb = new Map<number, Sums>();
  readonly #errors = new Map<string, { message: string; count: number; traceId: string }>();
  #sent = 0;
  readonly #start = performance.now();
  /** Seconds in which nothing was under way, such as between two points of a sweep. */
  idleSeconds = 0;

  sent(): void {
    this.#sent++;
  }

  add(result: FrameResult, latencySeconds: number): void {
    this.all.add(result, latencySeconds);
    if (result.outcome.case === 'error') {
      const { code, origin, message, traceId } = result.outcome.value;
      this.#countError(`${codeName(code)} ${origin}: ${message}`, traceId);
    }
    if (result.snrDb !== undefined) this.at(result.snrDb).add(result, latencySeconds);
  }

  /** An image that never became a frame, such as a file that cannot be read. */
  addUnsent(reason: string): void {
    this.#sent++;
    this.all.errors++;
    this.#countError(reason);
  }

  /** Errors by message; messages that differ in numbers alone count under the first of them. */
  get errors(): Map<string, number> {
    return new Map([...this.#errors.values()].map(({ message, count }) => [message, count]));
  }

  /** A line for each message: how often, and the trace of one of its images where there is one. */
  errorLines(): string[] {
    return [...this.#errors.values()].map(
      ({ message, count, traceId }) => `${count} x ${message}${traceId === '' ? '' : ` (trace ${traceId})`}\n`,
    );
  }

  /** The sums at one SNR, dB. */
  at(snrDb: number): Sums {
    const key = Number(snrDb.toFixed(2));
    let sums = this.bySnrDb.get(key);
    if (!sums) {
      sums = new Sums();
      this.bySnrDb.set(key, sums);
    }
    return sums;
  }

  get imagesPerSecond(): number {
    const seconds = (performance.now() - this.#start) / 1e3 - this.idleSeconds;
    return seconds > 0 ? this.all.received / seconds : 0;
  }

  summary(seed: number | null, versions: Record<string, string>): Summary {
    const { all } = this;
    const rows = [...this.bySnrDb].sort(([a], [b]) => a - b);
    const quantile = (q: number) => Number(all.latency.quantile(q).toPrecision(4));
    return {
      images_sent: this.#sent,
      results_received: all.received,
      errors: all.errors,
      errors_by_message: Object.fromEntries(this.errors),
      accuracy: all.accuracy ?? null,
      accuracy_by_snr_db: Object.fromEntries(rows.map(([snr, sums]) => [String(snr), sums.accuracy ?? null])),
      mean_channel_uses: all.meanChannelUses,
      mean_channel_uses_by_snr_db: Object.fromEntries(rows.map(([snr, sums]) => [String(snr), sums.meanChannelUses])),
      latency_seconds: { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) },
      images_per_second: Number(this.imagesPerSecond.toFixed(1)),
      payload_bytes_per_image: all.received > 0 ? all.payloadBytes / all.received : 0,
      seed,
      versions,
    };
  }

  #countError(message: string, traceId = ''): void {
    const kind = message.replaceAll(/\d+/g, 'N');
    const known = this.#errors.has(kind) || this.#errors.size < ERROR_MESSAGES;
    const key = known ? kind : 'others';
    const entry = this.#errors.get(key) ?? { message: known ? message : 'others', count: 0, traceId: '' };
    entry.count++;
    entry.traceId ||= traceId;
    this.#errors.set(key, entry);
  }
}
