import { Code, peerSentence, SemlinkError } from './errors.js';
import type { StreamEnd } from './stream-attempt.js';

/**
 * Why the frames of a stream that ended have no answer, in words for a person.
 *
 * @param peer role and address of the other end
 * @param wasOpen whether the peer had taken the stream
 */
export function explainEnd(peer: string, wasOpen: boolean, { code, details }: StreamEnd): SemlinkError {
  if (code === Code.OK) {
    return new SemlinkError(Code.UNAVAILABLE, `${peer} ended the stream without an answer; send again`);
  }
  if (!wasOpen) {
    if (code !== Code.UNAVAILABLE)
      return new SemlinkError(code, `${peer} refused the stream: ${peerSentence(details)}`);
    return notReachable(peer, details);
  }
  // The peer's own verdict on the stream (an oversize message, for example) keeps its code.
  if (code === Code.UNAVAILABLE || code === Code.CANCELLED || code === Code.INTERNAL || code === Code.UNKNOWN) {
    return new SemlinkError(
      Code.UNAVAILABLE,
      `the stream to ${peer} broke before the answer (${systemReason(details)}); send again`,
    );
  }
  return new SemlinkError(code, `${peer} ended the stream: ${peerSentence(details)}`);
}

/** Nobody answers at the other end. `details`: of the status that grpc-js made up. */
export function notReachable(peer: string, details: string): SemlinkError {
  const sentence = `${peer} is not reachable (${systemReason(details)}); check that it runs there`;
  return new SemlinkError(Code.UNAVAILABLE, sentence);
}

/** grpc-js wraps the system's own words, such as "connect ECONNREFUSED 127.0.0.1:1", in several layers of its own. */
function systemReason(details: string): string {
  const words = /.*Error: (.+?)(?:\. Resolution note:.*)?$/.exec(details)?.[1];
  return words ?? (details.includes('No connection established') ? 'no connection was established' : details);
}
