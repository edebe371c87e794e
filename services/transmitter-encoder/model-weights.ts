import { invalidArgument } from '../../shared/rpc/errors.js';
import { pairScore } from '../../shared/rpc/rendezvous.js';

/** Weight of each model version, above 0; only their ratio counts. */
export type ModelWeights = ReadonlyMap<string, number>;

/**
 * Reads weights of models: `m-cifar10-3=90,s-cifar10-2=10`, or one to a line; `#` starts a comment. A weight of 0 is as
 * none. An empty text: no weights, the default model takes every link.
 *
 * @throws SemlinkError INVALID_ARGUMENT naming the part that is wrong
 */
export function parseModelWeights(text: string): ModelWeights {
  const weights = new Map<string, number>();
  const seen = new Set<string>();
  const parts = text.split('\n').flatMap((line) => line.replace(/#.*/, '').split(','));
  for (const part of parts.map((one) => one.trim()).filter(Boolean)) {
    const [, version, number] = /^([^\s=]+)\s*=\s*(\d+(?:\.\d+)?)$/.exec(part) ?? [];
    if (version === undefined)
      throw invalidArgument('model weight', part, 'use VERSION=WEIGHT, a weight of at least 0');
    if (seen.has(version)) throw invalidArgument('model weight', part, `${version} is there twice; give it one weight`);
    seen.add(version);
    if (Number(number) > 0) weights.set(version, Number(number));
  }
  if (seen.size > 0 && weights.size === 0) throw invalidArgument('model weights', text.trim(), 'one must be above 0');
  return weights;
}

/**
 * The model of a link, by weighted rendezvous hashing: of many links each version gets its share of the weights, every
 * replica says the same of a link, and a changed weight moves no link but those that gain or lose by it.
 *
 * The version with the greatest -w / ln(u) wins, u in (0, 1) from a hash of link and version (Schindelhauer and Schomaker,
 * "Weighted distributed hash tables", SPAA 2005).
 *
 * @returns undefined when there are no weights
 */
export function modelOfLink(linkId: string, weights: ModelWeights): string | undefined {
  let chosen: string | undefined;
  let greatest = Number.NEGATIVE_INFINITY;
  for (const [version, weight] of weights) {
    const score = -weight / Math.log((pairScore(linkId, version) + 0.5) / 2 ** 32);
    if (score <= greatest) continue;
    greatest = score;
    chosen = version;
  }
  return chosen;
}
