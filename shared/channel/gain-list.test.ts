import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { listGains } from './gain-list.js';

describe('listGains', () => {
  it('lists gains that say the same for every symbol, in blocks as long as can be', () => {
    const run = fc.record({ length: fc.integer({ min: 1, max: 12 }), value: fc.integer({ min: 0, max: 3 }) });
    fc.assert(
      fc.property(fc.array(run, { minLength: 1, maxLength: 12 }), (all) => {
        const values = all.flatMap(({ length, value }) => Array<number>(length).fill(value));
        const gains = Float32Array.from(values.flatMap((value) => [value, -value]));
        const { gains: listed, blockSymbols } = listGains(gains, values.length);
        expect(listed.length).toBe(2 * Math.ceil(values.length / blockSymbols));
        for (const [i, value] of values.entries()) expect(listed[2 * Math.floor(i / blockSymbols)]).toBe(value);
        const changes = values.flatMap((value, i) => (i > 0 && value !== values[i - 1] ? [i] : []));
        const longer = (step: number) => changes.every((change) => change % step === 0);
        for (let step = blockSymbols + 1; step < values.length; step++) expect(longer(step)).toBe(false);
      }),
    );
  });

  it('takes one gain for a frame that has one', () => {
    expect(listGains(Float32Array.of(1, 2, 1, 2, 1, 2), 3)).toEqual({ gains: [1, 2], blockSymbols: 3 });
  });
});
