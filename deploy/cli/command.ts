/** A command of `semlink`. */
export interface Command {
  /** Reads its arguments and runs; resolves with the exit status. */
  run(argv: readonly string[]): Promise<number>;
}
