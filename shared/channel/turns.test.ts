import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cosineOfTurns, sineOfTurns, unitsOf, unitsPerTurn, unitsTimes } from './turns.js';

describe('turns', () => {
  it('have the cosine and sine of Math to 1e-9', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e4, max: 1e4, noNaN: true }), (turns) => {
        const angle = 2 * Math.PI * (turns - Math.floor(turns));
        expect(Math.abs(cosineOfTurns(turns) - Math.cos(angle))).toBeLessThan(2e-9);
        expect(Math.abs(sineOfTurns(turns) - Math.sin(angle))).toBeLessThan(2e-9);
      }),
      { numRuns: 2_000 },
    );
    expect([0, 0.25, 0.5, 0.75, 1, -1e-20].map((x) => cosineOfTurns(x) + 0)).toEqual([1, 0, -1, 0, 1, 1]);
  });

  it('multiply without error', () => {
    const units = fc.integer({ min: 0, max: unitsPerTurn - 1 });
    fc.assert(
      fc.property(units, fc.integer({ min: 0, max: 2 ** 53 - 1 }), (one, count) => {
        expect(unitsTimes(one, count)).toBe(Number((BigInt(one) * BigInt(count)) % BigInt(unitsPerTurn)));
      }),
      { numRuns: 2_000 },
    );
  });

  it('round to units within one turn', () => {
    expect([0, 0.5, -0.25, 1, 1 - 2 ** -60].map(unitsOf)).toEqual([0, 2 ** 47, 0.75 * 2 ** 48, 0, 0]);
  });
});
