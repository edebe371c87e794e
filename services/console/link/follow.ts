import type { ClientReadableStream } from '@grpc/grpc-js';

/** A stream that ended is opened again after so long, ms. */
const retryMs = 1_000;

/**
 * Reads a stream that a service serves without end, and opens it again when it breaks off.
 *
 * @param open undefined: no address is known yet
 * @returns what ends that
 */
export function follow<T>(
  open: () => ClientReadableStream<T> | undefined,
  onMessage: (message: T) => void,
): () => void {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let call: ClientReadableStream<T> | undefined;
  const begin = (): void => {
    timer = undefined;
    call = open();
    const again = (): void => {
      if (!stopped) timer ??= setTimeout(begin, retryMs);
    };
    if (!call) {
      again();
      return;
    }
    call.on('data', (message: T) => {
      if (!stopped) onMessage(message);
    });
    // It stays: the end of a call that was cancelled is an error too.
    call.on('error', again);
    call.once('end', again);
  };
  begin();
  return () => {
    stopped = true;
    clearTimeout(timer);
    call?.cancel();
  };
}
