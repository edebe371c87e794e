/** How a service's process ends. */

export interface StopOptions {
  /** Stops the service; resolves whether everything had ended in time. */
  drain: () => Promise<boolean>;
  /** Says what happens, for the log. */
  say?: (sentence: string) => void;
}

/**
 * Waits for SIGTERM or SIGINT, drains, and exits: 0 when the drain was clean, 1 when work was cut off or the drain
 * failed. The same signal a second time exits at once with 128 + its number; the other one does nothing more, for Ctrl-C
 * in a terminal reaches this process by itself and again through the one that started it. The end of that one, where
 * there is an IPC channel to it, drains too.
 */
export function runUntilSignal({ drain, say = () => {} }: StopOptions): void {
  const reasons = new Set<string>();
  const stop = (reason: NodeJS.Signals | 'disconnect'): void => {
    if (reasons.has(reason)) {
      say(`${reason} again: leaving at once`);
      process.exit(reason === 'SIGINT' ? 130 : 143);
    }
    reasons.add(reason);
    if (reasons.size > 1) return;
    say(`${reason === 'disconnect' ? 'the process that started this one has gone' : reason}: draining`);
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
  process.on('disconnect', () => stop('disconnect'));
}
