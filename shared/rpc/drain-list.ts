/** Who must be told when the server is about to stop: the open frame streams. */
export class DrainList {
  readonly #callbacks = new Set<(limitMs: number) => void>();
  #deadline: number | undefined;

  /** Whether draining has begun. */
  get draining(): boolean {
    return this.#deadline !== undefined;
  }

  /**
   * Registers `callback`, called once with the milliseconds left when draining begins, or at once when it has begun.
   * Returns the function that takes it off the list.
   */
  add(callback: (limitMs: number) => void): () => void {
    if (this.#deadline !== undefined) {
      callback(Math.max(0, this.#deadline - Date.now()));
      return () => {};
    }
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  /** Tells everyone on the list. Later calls do nothing. */
  begin(limitMs: number): void {
    if (this.#deadline !== undefined) return;
    this.#deadline = Date.now() + limitMs;
    const callbacks = [...this.#callbacks];
    this.#callbacks.clear();
    for (const callback of callbacks) callback(limitMs);
  }
}
