/**
 * Sends frames on in the order in which they came, though batches may be encoded side by side and end in any: what a link's
 * channel does to a frame depends on its place, so another order would be another result for the same seed.
 */
export class InOrder {
  /** From the first that is not ready; undefined: not ready yet. */
  readonly #waiting: { send?: () => void }[] = [];

  /** Takes a place. What is returned must be called once, with what to do when the place's turn has come. */
  place(): (send: () => void) => void {
    const place: { send?: () => void } = {};
    this.#waiting.push(place);
    return (send) => {
      place.send = send;
      while (this.#waiting[0]?.send) this.#waiting.shift()!.send!();
    };
  }
}
