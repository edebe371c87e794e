import type { ClientDuplexStream } from '@grpc/grpc-js';

/** One address that streams can be opened to. */
export interface StreamPeer<Req, Res> {
  /** For messages to people. */
  readonly address: string;
  /** Opens a new call. */
  open(): ClientDuplexStream<Req, Res>;
  /** Whether the connection stands; lets frames out to a peer that sends its headers only with its first answer. */
  isConnected(): boolean;
}

/** Where the frames of a link go. */
export interface StreamPeers<Req, Res> {
  /** The peer that a link is pinned to now; undefined while no address is known. */
  pick(linkId: string): StreamPeer<Req, Res> | undefined;
  /** Whether a peer may still be picked. */
  has(peer: StreamPeer<Req, Res>): boolean;
  /** Why no address is known. */
  problem(): string;
  /** No connection to this peer: links may go elsewhere for the time being. */
  unreachable(peer: StreamPeer<Req, Res>): void;
  /** A stream has to move on, because its peer drains or it has grown old: a good time to look for other peers. */
  movedOn(peer: StreamPeer<Req, Res>): void;
  /** Hears whenever `pick` may answer differently. Returns what ends that. */
  onChange(listener: () => void): () => void;
}

/** All links go to one peer. */
export function onePeer<Req, Res>(peer: StreamPeer<Req, Res>): StreamPeers<Req, Res> {
  return {
    pick: () => peer,
    has: () => true,
    problem: () => '',
    unreachable: () => {},
    movedOn: () => {},
    onChange: () => () => {},
  };
}
