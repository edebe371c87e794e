import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FrameHeader, FrameHeaderSchema } from '../gen/semlink/v1/frame_pb.js';
import { Code } from './errors.js';
import { headerProblem } from './frame-header.js';

const linkCharacters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-'.split('');
const linkId = fc.string({ unit: fc.constantFrom(...linkCharacters), minLength: 1, maxLength: 64 });
const hex = (length: number) =>
  fc
    .string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: length, maxLength: length })
    .filter((text) => /[1-9a-f]/.test(text));
const traceparent = fc.tuple(hex(32), hex(16)).map(([trace, span]) => `00-${trace}-${span}-01`);
const sound = fc
  .record({
    linkId,
    sequence: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    captureTimeUnixNano: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
    traceparent: fc.oneof(fc.constant(''), traceparent),
    modelVersion: fc.constantFrom('', 'm-cifar10-3', 'v1.2_b'),
    trueLabel: fc.integer({ min: 0, max: 1_000_000 }),
  })
  .map((fields) => create(FrameHeaderSchema, fields));

function problemOf(header: FrameHeader, change: Partial<FrameHeader>) {
  return headerProblem({ ...header, ...change });
}

describe('headerProblem', () => {
  it('accepts every sound header', () => {
    fc.assert(
      fc.property(sound, (header) => {
        expect(headerProblem(header)).toBeUndefined();
      }),
    );
  });

  it('names the field and the value of every link id outside the pattern', () => {
    const bad = fc.oneof(
      fc.constant(''),
      fc.string({ minLength: 65, maxLength: 200 }),
      fc.string({ minLength: 1, maxLength: 64 }).filter((text) => /[^A-Za-z0-9._:-]/.test(text)),
    );
    fc.assert(
      fc.property(sound, bad, (header, linkId) => {
        const problem = problemOf(header, { linkId });
        expect(problem?.code).toBe(Code.INVALID_ARGUMENT);
        expect(problem?.message).toMatch(/^link_id is "/);
        expect(problem!.message.length).toBeLessThan(250);
      }),
    );
  });

  it('names what else is wrong', () => {
    const header = fc.sample(sound, { numRuns: 1, seed: 4 })[0]!;
    expect(headerProblem(undefined)?.message).toMatch('every frame needs a header');
    expect(problemOf(header, { captureTimeUnixNano: 0n })?.message).toMatch('capture_time_unix_nano is 0');
    expect(problemOf(header, { traceparent: '00-abc' })?.message).toMatch('traceparent is "00-abc"');
    expect(problemOf(header, { traceparent: `00-${'0'.repeat(32)}-${'1'.repeat(16)}-01` })?.message).toMatch(
      'traceparent',
    );
    expect(problemOf(header, { trueLabel: 4_000_000_000 })?.message).toMatch('true_label is 4000000000');
    expect(problemOf(header, { modelVersion: '../../etc' })?.message).toMatch('model_version is "../../etc"');
  });
});
