import { LinkCache } from './link-cache.js';
import { type LinkRandom, Purpose } from './link-random.js';
import type { LinkState } from './model.js';

/** Children of a node of the tree of increments. */
const fanOut = 256;
/** Levels: 256^6 = 2^48 symbols. */
const levels = 6;
const period = 2 ** 48;
/** Links whose last piece is remembered, 2.5 KiB each. */
const rememberedLinks = 4096;

interface Piece {
  /** Number of the piece of 256 symbols that is in `values`; -1: none. */
  number: number;
  /** Wiener process of unit variance a symbol at each symbol of the piece. */
  readonly values: Float64Array;
}

/**
 * Phase of a free-running oscillator: a Wiener process whose variance over tau seconds is 2 pi B tau rad^2, so that the
 * spectrum of exp(j phi) is a Lorentzian with a two-sided 3 dB width of B. Demir, Mehrotra, Roychowdhury, IEEE Trans.
 * Circuits Syst. I 47 (2000).
 *
 * Any position is reached without those before it: the process over 2^48 symbols is drawn as a whole, and then bridged
 * (Brownian bridges of 256 steps) within the 256th part that matters, six times. After 2^48 symbols it starts over at 0.
 */
export class PhaseNoise {
  readonly #turnsPerUnit: number;
  readonly #cache = new LinkCache<Piece>(rememberedLinks, () => ({ number: -1, values: new Float64Array(fanOut) }));

  constructor(linewidthHz: number, symbolRateHz: number) {
    this.#turnsPerUnit = Math.sqrt(linewidthHz / symbolRateHz / (2 * Math.PI));
  }

  /** The phase at a position, in turns, not reduced to one turn. */
  at({ random }: LinkState, position: number): number {
    const piece = this.#cache.of(random);
    const within = position % period;
    const number = Math.floor(within / fanOut);
    if (piece.number !== number) fillPiece(random, number, piece);
    return this.#turnsPerUnit * piece.values[within - number * fanOut]!;
  }
}

const normals = new Float64Array(fanOut);
/** Nodes of a level come after those of the levels above it. */
const firstNode = Array.from({ length: levels }, (_, depth) => (fanOut ** depth - 1) / (fanOut - 1));

/** Bridges down from the whole period to piece `number`. */
function fillPiece(random: LinkRandom, number: number, piece: Piece): void {
  const { values } = piece;
  let start = 0;
  let end: number | undefined;
  for (let depth = 0; depth < levels; depth++) {
    /** Pieces that a node of this level holds; its children are a 256th of that, or symbols. */
    const held = fanOut ** (levels - 1 - depth);
    const node = Math.floor(number / held);
    random.complexNormals(Purpose.phaseNoise, ((firstNode[depth]! + node) * fanOut) / 2, fanOut / 2, normals);
    const scale = Math.sqrt(held);
    let sum = 0;
    for (let i = 0; i < fanOut; i++) {
      values[i] = sum;
      sum += scale * normals[i]!;
    }
    // The whole period is a free walk; what is below is tied to its ends.
    const drift = end === undefined ? 0 : (end - start - sum) / fanOut;
    const stop = end ?? start + sum;
    for (let i = 0; i < fanOut; i++) values[i] = start + values[i]! + drift * i;
    if (depth === levels - 1) break;
    const child = Math.floor(number / (held / fanOut)) % fanOut;
    start = values[child]!;
    end = values[child + 1] ?? stop;
  }
  piece.number = number;
}
