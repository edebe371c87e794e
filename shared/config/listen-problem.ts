const PROBLEMS: Record<string, string> = {
  EADDRINUSE: 'the port is in use; stop the process that has it, or choose another port',
  EACCES: 'this user may not open that port; choose one above 1023',
  EADDRNOTAVAIL: 'this machine does not have that address; use 127.0.0.1 or 0.0.0.0',
  ENOTFOUND: 'the host name is unknown; use an address of this machine',
};

/**
 * Why an address cannot be listened on and what to do, for the end of a sentence.
 *
 * @param error as the system gave it, or one whose message has its code, as those of grpc-js
 * @returns undefined: for none of the usual reasons
 */
export function listenProblem(error: Error): string | undefined {
  const text = `${'code' in error ? String(error.code) : ''} ${error.message}`;
  return Object.entries(PROBLEMS).find(([code]) => text.includes(code))?.[1];
}
