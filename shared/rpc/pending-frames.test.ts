import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PendingFrame, PendingFrames } from './pending-frames.js';

class Named extends PendingFrame {
  readonly value: string;

  constructor(linkId: string, sequence: bigint, bytes: number, value: string) {
    super(linkId, sequence, bytes);
    this.value = value;
  }
}

const key = fc.record({ link: fc.constantFrom('a', 'b', 'c'), sequence: fc.bigInt({ min: 0n, max: 5n }) });
const step = fc.oneof(
  fc.record({ do: fc.constant('add' as const), key, bytes: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ do: fc.constant('take' as const), key }),
  fc.record({ do: fc.constant('takeLink' as const), key }),
);

describe('PendingFrames', () => {
  it('behaves as an insertion-ordered map from (link, sequence) to frame', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const frames = new PendingFrames<Named>();
        const model = new Map<string, number>();
        for (const { do: what, key, ...rest } of steps) {
          const name = `${key.link}/${key.sequence}`;
          if (what === 'add' && 'bytes' in rest) {
            const added = frames.add(new Named(key.link, key.sequence, rest.bytes, name));
            expect(added).toBe(!model.has(name));
            if (added) model.set(name, rest.bytes);
          } else if (what === 'take') {
            expect(frames.take(key.link, key.sequence)?.value).toBe(model.has(name) ? name : undefined);
            model.delete(name);
          } else {
            const expected = [...model.keys()].filter((other) => other.startsWith(`${key.link}/`));
            expect(frames.takeWhere(({ linkId }) => linkId === key.link).map(({ value }) => value)).toEqual(expected);
            for (const other of expected) model.delete(other);
          }
          expect(frames.size).toBe(model.size);
          expect(frames.bytes).toBe([...model.values()].reduce((sum, bytes) => sum + bytes, 0));
          expect(frames.oldest?.value).toBe(model.keys().next().value);
        }
        expect(frames.takeWhere(() => true).map(({ value }) => value)).toEqual([...model.keys()]);
        expect(frames.oldest).toBeUndefined();
      }),
    );
  });
});
