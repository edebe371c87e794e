/** A load and what came of it. */
export interface Loaded {
  readonly streams: number;
  /** Of one stream. */
  readonly in_flight: number;
  readonly images_per_second: number;
}

/**
 * Where more load only makes images wait: of the loads that reach `share` of the most images a second, the one with the
 * least images in flight over all streams; of several such, the fastest.
 *
 * @param share 0 to 1
 */
export function kneeOf<L extends Loaded>(loads: readonly L[], share: number): L {
  const most = Math.max(...loads.map((one) => one.images_per_second));
  const inFlight = (one: L) => one.streams * one.in_flight;
  const fast = loads.filter((one) => one.images_per_second >= share * most);
  return fast.toSorted((a, b) => inFlight(a) - inFlight(b) || b.images_per_second - a.images_per_second)[0]!;
}
