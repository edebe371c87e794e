/** What the OpenTelemetry SDK asks ids of. */
export interface IdGenerator {
  generateTraceId(): string;
  generateSpanId(): string;
}

/** Ids that the next span is to have; what is left out is the generator's choice. */
export interface SpanIds {
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
}

/**
 * Gives spans the ids that a frame's identity implies, where there are such, and random ones otherwise. The API has no
 * other way to choose an id; the SDK asks for it within the call that starts the span.
 */
export class ChosenIds implements IdGenerator {
  readonly #random: IdGenerator;

  constructor(random: IdGenerator) {
    this.#random = random;
  }

  generateTraceId(): string {
    return chosen?.traceId ?? this.#random.generateTraceId();
  }

  generateSpanId(): string {
    return chosen?.spanId ?? this.#random.generateSpanId();
  }
}

let chosen: SpanIds | undefined;

/** Starts a span with these ids, if the process's SDK asks `ChosenIds` for them. */
export function withIds<T>(ids: SpanIds, start: () => T): T {
  chosen = ids;
  try {
    return start();
  } finally {
    chosen = undefined;
  }
}
