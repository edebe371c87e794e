/** One moment of the console's link; null where nothing is known of it. */
export interface HistoryPoint {
  /** Rises by one with each point. */
  readonly id: number;
  /** ms since the Unix epoch. */
  readonly atMs: number;
  /** Average Es/N0 of the air, dB. */
  readonly snrDb: number | null;
  /** What the receiver fed back last: |h|^2 / N0 of its frame, dB. */
  readonly momentarySnrDb: number | null;
  /** Mean k of the images answered since the point before. */
  readonly channelUses: number | null;
  /** Of the latest answers. */
  readonly accuracy: number | null;
  readonly latencyMedianSeconds: number | null;
  readonly latencyP95Seconds: number | null;
}

/** The latest points, bounded. */
export class History {
  readonly #points: HistoryPoint[] = [];
  readonly #most: number;
  #nextId = 1;

  /** @param most points kept */
  constructor(most: number) {
    this.#most = most;
  }

  add(point: Omit<HistoryPoint, 'id'>): void {
    this.#points.push({ ...point, id: this.#nextId++ });
    if (this.#points.length > this.#most) this.#points.shift();
  }

  /** Points that came after one, oldest first. */
  after(id: number): readonly HistoryPoint[] {
    const first = this.#points[0]?.id;
    return first === undefined ? [] : this.#points.slice(Math.max(0, id + 1 - first));
  }
}
