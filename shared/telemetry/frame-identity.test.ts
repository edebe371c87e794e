import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FrameIdentity, frameSpanId, frameTraceId } from './frame-identity.js';

const identity: fc.Arbitrary<FrameIdentity> = fc.record({
  linkId: fc.string({ minLength: 1, maxLength: 64 }),
  sequence: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  captureTimeUnixNano: fc.bigInt({ min: 1n, max: 2n ** 63n }),
});

test('ids have the form that OpenTelemetry wants and depend on nothing but the frame', () => {
  fc.assert(
    fc.property(identity, (frame) => {
      const traceId = frameTraceId(frame);
      expect(traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
      expect(frameTraceId({ ...frame })).toBe(traceId);
      const send = frameSpanId(traceId, frame, 'send');
      const transmit = frameSpanId(traceId, frame, 'transmit');
      for (const id of [send, transmit]) expect(id).toMatch(/^(?!0{16})[0-9a-f]{16}$/);
      expect(send).not.toBe(transmit);
    }),
  );
});

test('frames that differ a little have ids of their own, in every part', () => {
  const start = 1_790_000_000_000_000_000n;
  const frames: FrameIdentity[] = [];
  for (let i = 0n; i < 20_000n; i++)
    frames.push({ linkId: 'uav-7', sequence: i, captureTimeUnixNano: start + 125n * i });
  for (let i = 0n; i < 5_000n; i++) frames.push({ linkId: `ship-${i}`, sequence: 0n, captureTimeUnixNano: start });
  // The second run of a link, from sequence 0 again.
  for (let i = 0n; i < 5_000n; i++) frames.push({ linkId: 'uav-7', sequence: i, captureTimeUnixNano: start * 2n + i });
  const traces = frames.map(frameTraceId);
  expect(new Set(traces).size).toBe(frames.length);
  // Halves too: some stores keep 64 bits.
  expect(new Set(traces.map((id) => id.slice(16))).size).toBe(frames.length);
  // Several frames under one trace of the caller.
  const shared = 'a'.repeat(32);
  expect(new Set(frames.map((frame) => frameSpanId(shared, frame, 'transmit'))).size).toBe(frames.length);
});
