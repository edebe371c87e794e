/** Thrown where the compiled code meets something that it leaves to protobuf-es. Never leaves the codec. */
export class Uncommon extends Error {}

const uncommon = new Uncommon('left to protobuf-es');

/** Made once: it says nothing and nobody sees it. */
export function leave(): never {
  throw uncommon;
}
