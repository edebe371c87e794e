import type { ImageView } from '../data/augment.js';
import type { KnowledgeDescription } from '../gen/semlink/v1/knowledge_pb.js';
import { Code, SemlinkError } from '../rpc/errors.js';

/** Values are square roots of probabilities in steps of 1/65535. */
const STEPS = 65_535;
const SQUARE = 1 / (STEPS * STEPS);
const VIEW_BYTES = 2;
const SCALE_BYTES = 4;

/** What a teacher said about one view. */
export interface KnowledgeRecord {
  readonly view: ImageView;
  /** K classes by falling probability. */
  readonly classes: number[];
  /** Their K probabilities at temperature 1. */
  readonly probabilities: number[];
  /** Probability of every class that is not among them; 0 when K is the number of classes. */
  readonly restPerClass: number;
  /** D values of the projected feature, where it is stored. */
  readonly feature?: Float32Array;
}

/** Writes and reads records; knowledge.proto has the format and its errors. Works in place on many records together. */
export class RecordCodec {
  readonly bytes: number;
  readonly classes: number;
  readonly topK: number;
  readonly featureSize: number;
  readonly #indexBytes: number;
  readonly #indexAt: number;
  readonly #featureAt: number;
  readonly #best: Int32Array;
  readonly #tempered: Float64Array;

  constructor(description: KnowledgeDescription) {
    this.bytes = description.recordBytes;
    this.classes = description.dataSet!.classes;
    this.topK = description.topK;
    this.featureSize = description.featureSize;
    this.#indexBytes = description.indexBytes;
    this.#indexAt = VIEW_BYTES + 2 * this.topK;
    this.#featureAt = this.#indexAt + this.#indexBytes * this.topK;
    this.#best = new Int32Array(this.topK);
    this.#tempered = new Float64Array(this.topK);
  }

  /**
   * Writes one record at `out[at]`.
   *
   * @param probabilities C values from index `from` on; they are taken relative to their sum
   * @param feature D values from index `featureFrom` on, where features are stored
   * @throws SemlinkError INVALID_ARGUMENT for values that are no probabilities or no finite numbers
   */
  encode(
    out: Uint8Array,
    at: number,
    view: ImageView,
    probabilities: Float32Array,
    from: number,
    feature?: Float32Array,
    featureFrom = 0,
  ): void {
    const { topK, classes } = this;
    const best = this.#best;
    let sum = 0;
    for (let c = 0; c < classes; c++) {
      const p = probabilities[from + c]!;
      if (!(p >= 0 && p < Number.POSITIVE_INFINITY)) throw notProbabilities(`class ${c} has ${p}`);
      sum += p;
    }
    if (sum <= 0) throw notProbabilities('they sum to 0');
    let found = 0;
    for (let c = 0; c < classes; c++) {
      const p = probabilities[from + c]!;
      if (found === topK && p <= probabilities[from + best[found - 1]!]!) continue;
      let place = found < topK ? found++ : topK - 1;
      for (; place > 0 && p > probabilities[from + best[place - 1]!]!; place--) best[place] = best[place - 1]!;
      best[place] = c;
    }
    let rest = 0;
    if (topK < classes) {
      for (let c = 0; c < classes; c++) if (!best.includes(c)) rest += probabilities[from + c]!;
    }
    writeWord(out, at, packView(view));
    for (let j = 0; j < topK; j++) {
      const p = j === 0 ? rest : probabilities[from + best[j]!]!;
      writeWord(out, at + VIEW_BYTES + 2 * j, Math.round(Math.sqrt(p / sum) * STEPS));
      if (this.#indexBytes === 1) out[at + this.#indexAt + j] = best[j]!;
      else writeWord(out, at + this.#indexAt + 2 * j, best[j]!);
    }
    if (this.featureSize > 0) this.#encodeFeature(out, at + this.#featureAt, feature, featureFrom);
  }

  #encodeFeature(out: Uint8Array, at: number, feature: Float32Array | undefined, from: number): void {
    let largest = 0;
    for (let d = 0; d < this.featureSize; d++) largest = Math.max(largest, Math.abs(feature?.[from + d] ?? Number.NaN));
    if (!Number.isFinite(largest))
      throw new SemlinkError(Code.INVALID_ARGUMENT, 'a teacher gave a feature that is not finite');
    const scale = Math.fround(largest / 127);
    new DataView(out.buffer, out.byteOffset + at, SCALE_BYTES).setFloat32(0, scale, true);
    for (let d = 0; d < this.featureSize; d++) {
      const steps = scale > 0 ? Math.round(feature![from + d]! / scale) : 0;
      out[at + SCALE_BYTES + d] = Math.max(-127, Math.min(127, steps)) & 0xff;
    }
  }

  /** The record at `records[at]`. */
  decode(records: Uint8Array, at: number): KnowledgeRecord {
    const { topK } = this;
    const classes = Array.from({ length: topK }, (_, j) => this.#classAt(records, at, j));
    const probabilities = Array.from({ length: topK }, (_, j) =>
      probabilityFrom(readWord(records, at + VIEW_BYTES + 2 * j)),
    );
    const rest = probabilities[0]!;
    probabilities[0] = Math.max(0, 1 - probabilities.reduce((sum, p) => sum + p, 0));
    return {
      view: unpackView(readWord(records, at)),
      classes,
      probabilities,
      restPerClass: topK < this.classes ? rest / (this.classes - topK) : 0,
      ...(this.featureSize > 0 && { feature: this.#featureOf(records, at + this.#featureAt) }),
    };
  }

  /** The view of the record at `records[at]`. */
  viewAt(records: Uint8Array, at: number): ImageView {
    return unpackView(readWord(records, at));
  }

  /**
   * Writes the restored distribution of the record at `records[at]`, C probabilities p(c)^(1/T) / sum, to `out` from
   * index `to` on.
   *
   * @param temperature T, above 0; 1: the teacher's probabilities themselves
   */
  restore(records: Uint8Array, at: number, out: Float32Array, to: number, temperature = 1): void {
    const { topK, classes } = this;
    const power = 1 / temperature;
    const tempered = this.#tempered;
    const others = classes - topK;
    const rest = probabilityFrom(readWord(records, at + VIEW_BYTES));
    let first = 1 - rest;
    let sum = 0;
    for (let j = 1; j < topK; j++) {
      const p = probabilityFrom(readWord(records, at + VIEW_BYTES + 2 * j));
      first -= p;
      tempered[j] = power === 1 ? p : p ** power;
      sum += tempered[j]!;
    }
    first = Math.max(0, first);
    tempered[0] = power === 1 ? first : first ** power;
    sum += tempered[0]!;
    let each = 0;
    if (others > 0) {
      each = power === 1 ? rest / others : (rest / others) ** power;
      sum += others * each;
    }
    out.fill(each / sum, to, to + classes);
    for (let j = 0; j < topK; j++) out[to + this.#classAt(records, at, j)] = tempered[j]! / sum;
  }

  /** Writes the D values of the projected feature to `out` from index `to` on. */
  restoreFeature(records: Uint8Array, at: number, out: Float32Array, to: number): void {
    out.set(this.#featureOf(records, at + this.#featureAt), to);
  }

  #featureOf(records: Uint8Array, at: number): Float32Array {
    const scale = new DataView(records.buffer, records.byteOffset + at, SCALE_BYTES).getFloat32(0, true);
    const feature = new Float32Array(this.featureSize);
    for (let d = 0; d < feature.length; d++) feature[d] = scale * ((records[at + SCALE_BYTES + d]! << 24) >> 24);
    return feature;
  }

  #classAt(records: Uint8Array, at: number, j: number): number {
    const index = at + this.#indexAt;
    return this.#indexBytes === 1 ? records[index + j]! : readWord(records, index + 2 * j);
  }
}

function notProbabilities(why: string): SemlinkError {
  return new SemlinkError(
    Code.INVALID_ARGUMENT,
    `a teacher's output is no probability distribution: ${why}; check its normalisation and whether it gives logits`,
  );
}

function probabilityFrom(value: number): number {
  return value * value * SQUARE;
}

/** Bits 0-3: row shift + 8, bits 4-7: column shift + 8, bit 8: flip. */
function packView({ rowShift, columnShift, flip }: ImageView): number {
  return (rowShift + 8) | ((columnShift + 8) << 4) | (flip ? 256 : 0);
}

function unpackView(word: number): ImageView {
  return { rowShift: (word & 15) - 8, columnShift: ((word >> 4) & 15) - 8, flip: (word & 256) !== 0 };
}

function writeWord(out: Uint8Array, at: number, word: number): void {
  out[at] = word & 0xff;
  out[at + 1] = word >>> 8;
}

function readWord(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}
