import type { ExternalSettings } from '../../../shared/channel/external.js';
import { PushPullPort } from './push-pull-port.js';
import { RequestReplyPort } from './request-reply-port.js';

/** What a port tells its owner. */
export interface IqPortEvents {
  /** cf32 bytes that came back, in order; a message need not be a whole number of symbols for the port to pass it on. */
  onBytes(bytes: Uint8Array): void;
  /** Whether the process is connected in both directions. */
  onConnected(connected: boolean): void;
}

/** Streams of cf32 to an outside process and back. */
export interface IqPort {
  /** Both directions have a peer. */
  readonly connected: boolean;
  /** Sends cf32 bytes after those before. Called again only when all that was sent has been given up or has come back. */
  send(bytes: Uint8Array): void;
  /** So many more symbols are wanted back than are wanted already. A form that asks for symbols asks for these. */
  want(symbols: number): void;
  /** Drops what has not left yet and asks for no more. */
  reset(): void;
  close(): void;
}

/** @throws Error by ZeroMQ, for example when the address to bind is in use */
export function openIqPort(settings: ExternalSettings, events: IqPortEvents): Promise<IqPort> {
  return settings.form === 'push-pull' ? PushPullPort.open(settings, events) : RequestReplyPort.open(settings, events);
}
