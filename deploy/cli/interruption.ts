const STATUS = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Resolves with the exit status of a command that was told to stop, by Ctrl-C or SIGTERM; from now on neither ends the
 * process by itself. A second signal does.
 */
export function interrupted(): Promise<number> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(STATUS[signal]));
  });
}
