import type { LinkState } from './model.js';

/** The complex gains of the paths of a link over time, mean power 1 each. */
export interface PathGains {
  /** Number of paths. */
  readonly count: number;
  /** Symbols over which gains are as good as a straight line. */
  readonly smoothSymbols: number;
  /** Writes the gains at a position of the link: 2 * count numbers re, im, ... */
  at(link: LinkState, position: number, out: Float64Array): void;
}

/** Paths that never change: gain 1 each. */
export class StaticPaths implements PathGains {
  readonly smoothSymbols = 64;
  readonly count: number;

  constructor(count: number) {
    this.count = count;
  }

  at(_link: LinkState, _position: number, out: Float64Array): void {
    for (let i = 0; i < this.count; i++) {
      out[2 * i] = 1;
      out[2 * i + 1] = 0;
    }
  }
}
