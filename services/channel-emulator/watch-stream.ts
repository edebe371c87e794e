import type { ServerWritableStream } from '@grpc/grpc-js';
import type { DrainList } from '../../shared/rpc/drain-list.js';
import { Code, SemlinkError, toGrpcStatus } from '../../shared/rpc/errors.js';

/** What tells a stream of watching what there is. */
export interface StreamWatcher {
  /** The stream takes more again. */
  resume(): void;
  close(): void;
}

/** Ties a watcher to its stream: it goes on as the reader does, and ends when the caller leaves or the service drains. */
export function tieToStream<Req, Res>(
  watcher: StreamWatcher,
  call: ServerWritableStream<Req, Res>,
  drains: DrainList,
  onEnd: () => void,
): void {
  const end = (): void => {
    watcher.close();
    undrain();
    onEnd();
  };
  call.on('drain', () => watcher.resume());
  call.once('cancelled', end);
  call.once('close', end);
  const undrain = drains.add(() => {
    watcher.close();
    call.emit(
      'error',
      toGrpcStatus(new SemlinkError(Code.UNAVAILABLE, 'the channel-emulator is stopping; watch again')),
    );
  });
}
