/**
 * HTTP/2 receive windows: the bytes that a peer may send before it must hear that they were read. With HTTP/2's own 64 KiB a
 * connection carries 64 KiB a round trip (1.3 MB a second at 50 ms), and a message of 32 images waits for its reader halfway.
 */
import type { Http2Server, ServerOptions } from 'node:http2';
import type { ChannelOptions, Server } from '@grpc/grpc-js';

/** Window of a connection and of each stream on it, bytes; what one connection can hold unread. */
export const RECEIVE_WINDOW_BYTES = 1024 * 1024;

/** Options of a client that receives with such windows. */
export function clientWindow(bytes: number): ChannelOptions {
  return { 'grpc-node.flow_control_window': bytes };
}

/** What grpc-js 1.14 keeps of its HTTP/2 servers; it has no option for their windows (grpc-node PR 3058). */
interface ServerInside {
  commonServerOptions?: ServerOptions;
  http2Servers?: ReadonlyMap<Http2Server, unknown>;
}

/**
 * Makes a server receive with such windows. Where a release of grpc-js is built another way inside, windows stay HTTP/2's own.
 *
 * @param bytes 65,535 or more: smaller than HTTP/2's own a connection's window cannot be
 * @returns to be called once the server is bound
 */
export function widenServer(server: Server, bytes: number): () => void {
  const inside = server as unknown as ServerInside;
  const options = inside.commonServerOptions;
  if (options) options.settings = { ...options.settings, initialWindowSize: bytes };
  return () => {
    for (const http2 of inside.http2Servers?.keys() ?? []) {
      http2.on('session', (session) => session.setLocalWindowSize(bytes));
    }
  };
}
