import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { frameTraceId } from './frame-identity.js';
import { FrameTracer } from './frame-tracer.js';
import { SPANS } from './names.js';

// With a real SDK and a real collector: test/telemetry/tracing.test.ts.

describe('sampling', () => {
  test('keeps all, none, or the asked-for share of frames', () => {
    const frames = Array.from({ length: 20_000 }, (_, index) => BigInt(index));
    const share = (ratio: number, link: string): number => {
      const tracer = new FrameTracer('client', { sampleRatio: ratio });
      return frames.filter((sequence) => tracer.isSampled(link, sequence)).length / frames.length;
    };
    expect(share(0, 'a')).toBe(0);
    expect(share(1, 'a')).toBe(1);
    for (const link of ['a', 'b', 'link-0001']) {
      // Five standard deviations of a fair coin with this probability.
      expect(Math.abs(share(0.1, link) - 0.1)).toBeLessThan(5 * Math.sqrt((0.1 * 0.9) / frames.length));
      expect(Math.abs(share(0.01, link) - 0.01)).toBeLessThan(5 * Math.sqrt((0.01 * 0.99) / frames.length));
    }
  });

  test('does not favour frames at regular distances, as a sweep over SNRs would see', () => {
    const tracer = new FrameTracer('client', { sampleRatio: 0.1 });
    for (let phase = 0; phase < 10; phase++) {
      const every10th = Array.from({ length: 5000 }, (_, index) => BigInt(10 * index + phase));
      const share = every10th.filter((sequence) => tracer.isSampled('a', sequence)).length / 5000;
      expect(Math.abs(share - 0.1)).toBeLessThan(5 * Math.sqrt(0.09 / 5000));
    }
  });

  test('decides the same for the same frame, and a larger share contains a smaller one', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (link, sequence, ratio) => {
          const small = new FrameTracer('client', { sampleRatio: ratio / 2 }).isSampled(link, sequence);
          const large = new FrameTracer('client', { sampleRatio: ratio }).isSampled(link, sequence);
          expect(new FrameTracer('client', { sampleRatio: ratio }).isSampled(link, sequence)).toBe(large);
          if (small) expect(large).toBe(true);
        },
      ),
    );
  });

  test('refuses a share that is none', () => {
    for (const ratio of [-0.1, 1.1, Number.NaN])
      expect(() => new FrameTracer('client', { sampleRatio: ratio })).toThrow('from 0 to 1');
  });
});

describe('the place of the first service', () => {
  const tracer = new FrameTracer('transmitter-encoder', { sampleRatio: 1 });
  const none = new FrameTracer('transmitter-encoder');
  const frame = { linkId: 'a', sequence: 1n, captureTimeUnixNano: 5n, traceparent: '' };
  const carried = (flags: string) => ({ ...frame, traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-${flags}` });

  test('is under what the client sent, sampled by it or not at all', () => {
    for (const one of [tracer, none]) {
      const place = one.enter(carried('01'), true)!;
      expect(place).toMatchObject({ traceId: 'a'.repeat(32), parentSpanId: 'b'.repeat(16) });
      expect(place.traceparent).toBe(`00-${place.traceId}-${place.spanId}-01`);
      expect(one.enter(carried('00'), true)).toBeUndefined();
    }
  });

  test('is a root where the client does not trace and the frame is of the share', () => {
    expect(tracer.enter(frame, false)).toMatchObject({ traceId: frameTraceId(frame), parentSpanId: undefined });
    expect(tracer.enter(frame, true)).toBeUndefined();
    expect(none.enter(frame, false)).toBeUndefined();
  });

  test('is worked out alike by all services when the frame has failed', () => {
    const traceId = frameTraceId(frame);
    const first = none.enterAfterwards(frame, traceId, true);
    expect(none.contextOf(frame, traceId)).toBe(first.traceparent);
    expect(first.parentSpanId).toMatch(/^[0-9a-f]{16}$/);
    expect(none.enterAfterwards(frame, traceId, false)).toEqual({ ...first, parentSpanId: undefined });
    expect(none.enterAfterwards(carried('00'), 'a'.repeat(32), false).parentSpanId).toBe('b'.repeat(16));
    expect(none.contextOf(carried('01'), 'a'.repeat(32))).toBe(carried('01').traceparent);
  });
});

describe('without an SDK', () => {
  test('no root is opened, and a context that passes through is left as it is', () => {
    const tracer = new FrameTracer('transmitter-encoder', { sampleRatio: 1 });
    expect(tracer.startRoot({ linkId: 'a', sequence: 1n, captureTimeUnixNano: 1n })).toBeUndefined();
    const header = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    for (const traceparent of ['', 'nonsense', header]) {
      expect(tracer.recordSpan(SPANS.encode, traceparent, 1n, 2n)).toBe(traceparent);
    }
  });
});
