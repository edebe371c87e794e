import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ImageView } from '../data/augment.js';
import { describeKnowledge } from './description.js';
import { RecordCodec } from './record.js';
import { samplePlan } from './sample-set.fixture.js';

const view: fc.Arbitrary<ImageView> = fc.record({
  rowShift: fc.integer({ min: -8, max: 7 }),
  columnShift: fc.integer({ min: -8, max: 7 }),
  flip: fc.boolean(),
});

/** Distributions from flat to nearly certain, some classes exactly 0. */
function distribution(classes: number): fc.Arbitrary<Float32Array> {
  const logit = fc.oneof(fc.double({ min: -25, max: 0, noNaN: true }), fc.constant(Number.NEGATIVE_INFINITY));
  return fc
    .array(logit, { minLength: classes, maxLength: classes })
    .filter((logits) => logits.some((z) => z > -25))
    .map((logits) => {
      const raw = logits.map(Math.exp);
      const sum = raw.reduce((total, p) => total + p, 0);
      return Float32Array.from(raw, (p) => p / sum);
    });
}

/** Shape of a set: classes and K. */
const shape = fc
  .integer({ min: 2, max: 400 })
  .chain((classes) =>
    fc.record({ classes: fc.constant(classes), topK: fc.integer({ min: 1, max: Math.min(12, classes) }) }),
  );

const codecOf = (change: Parameters<typeof samplePlan>[0]) => new RecordCodec(describeKnowledge(samplePlan(change)));

/** What the format promises for a stored probability p. */
const errorOf = (p: number): number => Math.sqrt(p) / 65_535 + 1 / (4 * 65_535 ** 2) + 1e-12;

describe('RecordCodec', () => {
  it('has the sizes that were promised', () => {
    expect(codecOf({ classes: 10, topK: 4 }).bytes).toBe(14);
    expect(codecOf({ classes: 100, topK: 7 }).bytes).toBe(23);
    expect(codecOf({ classes: 1000, topK: 7 }).bytes).toBe(30);
    expect(codecOf({ classes: 10, topK: 4, featureSize: 32 }).bytes).toBe(14 + 4 + 32);
  });

  it('restores every distribution within the errors that knowledge.proto states', () => {
    const cases = shape.chain(({ classes, topK }) =>
      fc.record({ topK: fc.constant(topK), p: distribution(classes), v: view, at: fc.integer({ min: 0, max: 5 }) }),
    );
    fc.assert(
      fc.property(cases, ({ topK, p, v, at }) => {
        const classes = p.length;
        const codec = codecOf({ classes, topK });
        const bytes = new Uint8Array(at + codec.bytes + 3);
        codec.encode(bytes, at, v, p, 0);
        expect(
          bytes.subarray(0, at).every((b) => b === 0) && bytes.subarray(at + codec.bytes).every((b) => b === 0),
        ).toBe(true);

        const record = codec.decode(bytes, at);
        expect(record.view).toEqual(v);
        const sum = p.reduce((total, one) => total + one, 0);
        const order = [...p.keys()].sort((a, b) => p[b]! - p[a]! || a - b).slice(0, topK);
        expect(record.classes).toEqual(order);

        const restored = new Float32Array(classes + 2);
        codec.restore(bytes, at, restored, 1);
        expect([restored[0], restored.at(-1)]).toEqual([0, 0]);
        const total = restored.reduce((a, b) => a + b, 0);
        expect(total).toBeCloseTo(1, 5);
        const rest = [...p.keys()].filter((c) => !order.includes(c)).reduce((a, c) => a + p[c]! / sum, 0);
        let first = errorOf(rest);
        for (const [j, c] of order.entries()) {
          if (j === 0) continue;
          first += errorOf(p[c]! / sum);
          expect(Math.abs(record.probabilities[j]! - p[c]! / sum)).toBeLessThanOrEqual(errorOf(p[c]! / sum));
        }
        expect(Math.abs(record.probabilities[0]! - p[order[0]!]! / sum)).toBeLessThanOrEqual(first + 1e-7);
        for (let c = 0; c < classes; c++) {
          const j = record.classes.indexOf(c);
          const due = j >= 0 ? record.probabilities[j]! : record.restPerClass;
          expect(restored[1 + c]!).toBeCloseTo(due, 5);
        }
        if (topK < classes)
          expect(Math.abs(record.restPerClass * (classes - topK) - rest)).toBeLessThanOrEqual(errorOf(rest));
        else expect(record.restPerClass).toBe(0);
      }),
      { numRuns: 150 },
    );
  });

  it('at a temperature is the tempered distribution, small probabilities included', () => {
    const p = Float32Array.from([0.999, 5e-4, 3e-4, 1e-4, 5e-5, 2e-5, 1e-5, 1e-5, 5e-6, 5e-6]);
    const codec = codecOf({ classes: 10, topK: 4 });
    const bytes = new Uint8Array(codec.bytes);
    codec.encode(bytes, 0, { rowShift: 0, columnShift: 0, flip: false }, p, 0);
    const restored = new Float32Array(10);
    for (const temperature of [1, 2, 4, 8]) {
      codec.restore(bytes, 0, restored, 0, temperature);
      // Outside the top 4 only their mean is known.
      const known = [...p.subarray(0, 4), ...Array<number>(6).fill(p.subarray(4).reduce((a, b) => a + b, 0) / 6)];
      const raw = known.map((one) => one ** (1 / temperature));
      const sum = raw.reduce((a, b) => a + b, 0);
      for (let c = 0; c < 10; c++) expect(restored[c]! / (raw[c]! / sum)).toBeCloseTo(1, 2);
    }
  });

  it('keeps features within half a step of their scale', () => {
    const features = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 }), {
      minLength: 24,
      maxLength: 24,
    });
    const codec = codecOf({ featureSize: 24 });
    fc.assert(
      fc.property(features, (values) => {
        const bytes = new Uint8Array(codec.bytes);
        const p = Float32Array.from({ length: 10 }, () => 0.1);
        codec.encode(bytes, 0, { rowShift: 1, columnShift: -1, flip: true }, p, 0, Float32Array.from(values));
        const out = new Float32Array(24);
        codec.restoreFeature(bytes, 0, out, 0);
        const step = Math.max(...values.map(Math.abs)) / 127;
        for (const [d, value] of values.entries())
          expect(Math.abs(out[d]! - value)).toBeLessThanOrEqual(step / 2 + 1e-3 * step);
        expect([...codec.decode(bytes, 0).feature!]).toEqual([...out]);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['not a number', Number.NaN],
    ['negative', -0.1],
    ['infinite', Number.POSITIVE_INFINITY],
  ])('refuses a probability that is %s', (_, value) => {
    const codec = codecOf({});
    const p = Float32Array.from({ length: 10 }, (_, c) => (c === 3 ? value : 0.1));
    const encode = () =>
      codec.encode(new Uint8Array(codec.bytes), 0, { rowShift: 0, columnShift: 0, flip: false }, p, 0);
    expect(encode).toThrow(/class 3 has/);
  });
});
