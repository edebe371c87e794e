import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FrameErrorSchema, type FrameHeader, FrameHeaderSchema } from '../gen/semlink/v1/frame_pb.js';
import { FailureLog } from './failure-log.js';
import { FrameFailures, type FrameFailuresOptions } from './frame-failures.js';
import { frameTraceId } from './frame-identity.js';
import { LimitedLog } from './limited-log.js';
import { createLogger } from './logger.js';

const header = (sequence: number, traceparent = ''): FrameHeader =>
  create(FrameHeaderSchema, { linkId: 'a', sequence: BigInt(sequence), captureTimeUnixNano: 7n, traceparent });
const error = (values: { code?: number; message?: string; origin?: string; traceId?: string } = {}) =>
  create(FrameErrorSchema, { code: 3, message: 'made up', origin: 'receiver-decoder', ...values });
const failures = (options: Partial<FrameFailuresOptions> = {}) =>
  new FrameFailures({ service: 'receiver-decoder', traces: true, tracesPerSecond: 20, ...options });

describe('a frame that failed', () => {
  test('here is traced under the id of its identity, and its answer says so', () => {
    const one = error();
    expect(failures().note(header(1), one)).toBe(frameTraceId(header(1)));
    expect(one.traceId).toBe(frameTraceId(header(1)));
  });

  test('elsewhere is traced if it was there, under the same id', () => {
    const here = failures({ service: 'transmitter-encoder' });
    expect(here.note(header(1), error())).toBe('');
    expect(here.note(header(1), error({ traceId: 'c'.repeat(32) }))).toBe('c'.repeat(32));
    expect(failures({ traces: false }).note(header(1), error({ traceId: 'c'.repeat(32) }))).toBe('');
  });

  test('in a trace of the caller stays in it, sampled or not', () => {
    const traceparent = (flags: string) => `00-${'a'.repeat(32)}-${'b'.repeat(16)}-${flags}`;
    expect(failures().note(header(1, traceparent('00')), error())).toBe('a'.repeat(32));
    const sampled = error({ origin: 'channel-emulator' });
    expect(failures().note(header(1, traceparent('01')), sampled)).toBe('a'.repeat(32));
    expect(sampled.traceId).toBe('a'.repeat(32));
  });

  test('is one of a bounded number a second; sampled ones are not counted', () => {
    const here = failures({ tracesPerSecond: 3 });
    const traced = Array.from({ length: 50 }, (_, i) => here.note(header(i), error())).filter(Boolean);
    expect(traced).toHaveLength(3);
    expect(here.note(header(99, `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`), error())).toBe('a'.repeat(32));
    expect(failures({ tracesPerSecond: 0 }).note(header(1), error())).toBe('');
  });

  test('under a trace id that is none has none, and so has one whose link is too long to be one', () => {
    const here = failures({ service: 'transmitter-encoder' });
    for (const traceId of ['x'.repeat(1e6), '0'.repeat(32), 'A'.repeat(32)]) {
      const one = error({ traceId });
      expect(here.note(header(1), one)).toBe('');
      expect(one.traceId).toBe('');
    }
    expect(failures().note(create(FrameHeaderSchema, { linkId: 'a'.repeat(65) }), error())).toBe('');
  });

  test('without a header or a link has no trace', () => {
    expect(failures().note(undefined, error())).toBe('');
    expect(failures().note(create(FrameHeaderSchema), error())).toBe('');
  });
});

describe('failed frames in the log', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());
  const lines: Record<string, unknown>[] = [];
  const logging = (level: 'info' | 'debug' = 'info') => {
    lines.length = 0;
    const stream = { write: (text: string) => lines.push(JSON.parse(text)) };
    const log = new LimitedLog(createLogger({ service: 'receiver-decoder', level, stream }));
    return { log, here: failures({ log: new FailureLog(log) }) };
  };

  test('say which, why, and in which trace', () => {
    const { here } = logging();
    here.note(header(5), error());
    expect(lines).toHaveLength(1);
    const trace_id = frameTraceId(header(5));
    expect(lines[0]).toMatchObject({ level: 'warn', code: 'INVALID_ARGUMENT', link: 'a', sequence: 5, trace_id });
    expect(lines[0]?.message).toBe('frame failed: made up');
  });

  test('of other services are theirs to tell', () => {
    const { here } = logging();
    here.note(header(5), error({ origin: 'channel-emulator' }));
    expect(lines).toEqual([]);
  });

  test('tell the cause that the answer hides', () => {
    const { here } = logging();
    here.note(
      header(5),
      error({ code: 13, message: 'internal error' }),
      new Error('internal', { cause: new Error('sad') }),
    );
    expect(lines[0]).toMatchObject({ level: 'error', code: 'INTERNAL', error: { message: 'sad' } });
  });

  test('are few however many there are, and the rest is counted when the window ends', () => {
    const { here } = logging();
    for (let i = 0; i < 100_000; i++) here.note(header(i), error());
    for (let i = 0; i < 7; i++) here.note(header(i), error({ code: 8, message: `full ${i}` }));
    expect(lines).toHaveLength(10);
    vi.advanceTimersByTime(10_000);
    expect(lines).toHaveLength(12);
    expect(lines[10]).toMatchObject({ code: 'INVALID_ARGUMENT', suppressed: 99_995 });
    expect(lines[11]).toMatchObject({ code: 'RESOURCE_EXHAUSTED', suppressed: 2 });
    expect(lines[11]?.message).toBe('2 more like it, the last: frame failed: full 6');
    // The next window starts anew, and a quiet one says nothing.
    here.note(header(1), error());
    expect(lines).toHaveLength(13);
    vi.advanceTimersByTime(60_000);
    expect(lines).toHaveLength(13);
  });

  test('that are part of the channel, or of a sender that has gone, are for those who look closely', () => {
    for (const code of [15, 1]) {
      const { here } = logging();
      here.note(header(1), error({ code }));
      expect(lines).toEqual([]);
      const close = logging('debug');
      close.here.note(header(1), error({ code }));
      expect(lines).toHaveLength(1);
    }
  });

  test('that wait to be counted are counted at the end of the service', () => {
    const { here, log } = logging();
    for (let i = 0; i < 6; i++) here.note(header(i), error());
    log.flush();
    expect(lines.at(-1)).toMatchObject({ suppressed: 1 });
    expect(vi.getTimerCount()).toBe(0);
  });
});
