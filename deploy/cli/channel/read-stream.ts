import type { ClientReadableStream } from '@grpc/grpc-js';
import { Code, peerSentence, SemlinkError } from '../../../shared/rpc/errors.js';

/**
 * Reads a stream to its end, or to Ctrl-C, which cancels it.
 *
 * @param take called with each message; while its promise is open nothing further is read
 * @returns how it ended: by itself, or by Ctrl-C
 * @throws SemlinkError with what the peer said when it broke off, or what `take` throws
 */
export function readStream<T>(
  call: ClientReadableStream<T>,
  take: (message: T) => void | Promise<void>,
): Promise<'end' | 'interrupted'> {
  return new Promise((resolve, reject) => {
    let interrupted = false;
    let failure: unknown;
    const interrupt = (): void => {
      interrupted = true;
      call.cancel();
    };
    const failed = (error: unknown): void => {
      failure ??= error;
      call.cancel();
    };
    process.once('SIGINT', interrupt);
    process.once('SIGTERM', interrupt);
    call.on('data', (message: T) => {
      const busy = take(message);
      if (!busy) return;
      call.pause();
      busy.then(() => call.resume()).catch(failed);
    });
    // The status that follows says the same.
    call.on('error', () => {});
    call.on('status', ({ code, details }) => {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
      if (failure !== undefined) reject(failure);
      else if (interrupted) resolve('interrupted');
      else if (code === Code.OK) resolve('end');
      else reject(new SemlinkError(code as Code, peerSentence(details)));
    });
  });
}
