/** How a service's process ends. */

export interface StopOptions {
  /** Stops the service; resolves whether everything had ended in time. */
  drain: () => Promise<boolean>;
  /** Says what happens, for the log. */
  say?: (sentence: string) => void;
}

/**
 * Waits for SIGTERM or SIGINT, drains, and exits: 0 when the drain was clean, 1 when work was cut off or the drain
 * failed. A second signal exits at once with 128 + its number.
 */
export function runUntilSignal({ drain, say = () => {} }: StopOptions): void {
  let draining = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (draining) {
      say(`${signal} again: leaving at once`);
      process.exit(signal === 'SIGINT' ? 130 : 143);
    }
    draining = true;
    say(`${signal}: draining`);
    drain().then(
      (clean) => {
        say(clean ? 'drained' : 'the drain limit passed; work in progress was cut off');
        process.exit(clean ? 0 : 1);
      },
      (error: unknown) => {
        say(`the drain failed: ${error instanceof Error ? error.message : String(error)}`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
