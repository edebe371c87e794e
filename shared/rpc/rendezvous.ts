/**
 * Rendezvous hashing (Thaler and Ravishankar, 1998): every (link, address) pair has a score and a link belongs to the
 * address with the highest. Who computes it, and in what order the addresses stand, does not matter; an address that comes
 * takes 1/n of the links, from all others alike, and one that goes gives its own back.
 */

/** An address that was made ready for scoring. */
export interface Candidate {
  readonly address: string;
  /** Hash of the address. */
  readonly hash: number;
}

export function candidate(address: string): Candidate {
  return { address, hash: hashOf(address) };
}

/** The candidate that `linkId` belongs to; undefined when there is none. Candidates that score the same go by their name. */
export function pickCandidate<C extends Candidate>(linkId: string, candidates: Iterable<C>): C | undefined {
  const link = hashOf(linkId);
  let best: C | undefined;
  let highest = -1;
  for (const one of candidates) {
    const score = scoreOf(link, one.hash);
    if (score > highest || (score === highest && one.address < best!.address)) {
      best = one;
      highest = score;
    }
  }
  return best;
}

/** How a link and a name of any kind suit each other, uniform from 0 to 2^32 - 1: for choices beside that of an address. */
export function pairScore(linkId: string, name: string): number {
  return scoreOf(hashOf(linkId), hashOf(name));
}

/** FNV-1a over the UTF-16 code units, then mixed, for its low bits alone are weak. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

function scoreOf(link: number, address: number): number {
  return mix((link ^ address) + Math.imul(link, 0x9e3779b1));
}

/** The finaliser of MurmurHash3: every bit in moves every bit out. 0 to 2^32 - 1. */
function mix(value: number): number {
  let hash = value ^ (value >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
