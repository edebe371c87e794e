import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { type FrameResult, FrameResultSchema } from '../../shared/gen/semlink/v1/frame_pb.js';
import { Code } from '../../shared/rpc/errors.js';
import { Tally } from './tally.js';

function classified(label: number, trueLabel?: number, snrDb = 10, channelUses = 8): FrameResult {
  return create(FrameResultSchema, {
    outcome: { case: 'classification', value: { label, confidence: 1 } },
    channelUses,
    snrDb,
    payloadBytes: 4 * channelUses,
    ...(trueLabel !== undefined && { trueLabel }),
  });
}

function failed(message: string, snrDb?: number, traceId = ''): FrameResult {
  const value = { code: Code.UNAVAILABLE, message, origin: 'channel-emulator', traceId };
  return create(FrameResultSchema, { outcome: { case: 'error', value }, ...(snrDb !== undefined && { snrDb }) });
}

function tallyOf(results: readonly FrameResult[]): Tally {
  const tally = new Tally();
  for (const result of results) {
    tally.sent();
    tally.add(result, 0.01);
  }
  return tally;
}

describe('a tally', () => {
  it('sums up all answers and those at each SNR', () => {
    const tally = tallyOf([
      classified(1, 1, -6, 64),
      classified(2, 1, -6, 32),
      classified(3, 3, 20, 2),
      classified(4, undefined, 20, 4),
    ]);
    expect(tally.summary(5, { semlink: '1' })).toEqual({
      images_sent: 4,
      results_received: 4,
      errors: 0,
      errors_by_message: {},
      accuracy: 2 / 3,
      accuracy_by_snr_db: { '-6': 0.5, '20': 1 },
      mean_channel_uses: 25.5,
      mean_channel_uses_by_snr_db: { '-6': 48, '20': 3 },
      latency_seconds: { p50: expect.closeTo(0.01, 3), p95: expect.closeTo(0.01, 3), p99: expect.closeTo(0.01, 3) },
      images_per_second: expect.any(Number),
      payload_bytes_per_image: 102,
      seed: 5,
      versions: { semlink: '1' },
    });
  });

  it('says null where no label is known, and nothing where nothing came', () => {
    expect(tallyOf([classified(1)]).summary(0, {})).toMatchObject({
      accuracy: null,
      accuracy_by_snr_db: { '10': null },
    });
    const empty = new Tally().summary(0, {});
    expect(empty).toMatchObject({ images_sent: 0, accuracy: null, mean_channel_uses: 0, payload_bytes_per_image: 0 });
    expect(empty.latency_seconds).toEqual({ p50: 0, p95: 0, p99: 0 });
  });

  it('accounts for every image as a result or as an error by name', () => {
    const tally = tallyOf([
      classified(1, 1),
      failed('receiver at a:50053 is down'),
      failed('receiver at a:50054 is down', 3),
    ]);
    tally.addUnsent('unreadable image: x.png');
    const summary = tally.summary(0, {});
    expect(summary).toMatchObject({ images_sent: 4, results_received: 1, errors: 3, accuracy: 1 });
    expect(summary.errors_by_message).toEqual({
      // Messages that differ in a number, such as that of the frame, are one kind.
      'UNAVAILABLE channel-emulator: receiver at a:50053 is down': 2,
      'unreadable image: x.png': 1,
    });
    expect(tally.at(3)).toMatchObject({ received: 0, errors: 1 });
  });

  it('shows the trace of an image for each kind of error that has one', () => {
    const trace = 'a'.repeat(32);
    const tally = tallyOf([
      failed('down'),
      failed('down', 3, trace),
      failed('down', 3, 'b'.repeat(32)),
      failed('full'),
    ]);
    expect(tally.errorLines()).toEqual([
      `3 x UNAVAILABLE channel-emulator: down (trace ${trace})\n`,
      '1 x UNAVAILABLE channel-emulator: full\n',
    ]);
  });

  it('keeps a bounded number of messages and still counts every error', () => {
    const word = (i: number) => [...String(i)].map((digit) => 'abcdefghij'[Number(digit)]).join('');
    const tally = tallyOf(Array.from({ length: 1_000 }, (_, i) => failed(`no ${word(i)}`)));
    for (let i = 0; i < 1_000; i++) tally.addUnsent(`unreadable image: ${word(i)}.png`);
    const { errors, errors_by_message } = tally.summary(0, {});
    expect(errors).toBe(2_000);
    expect(Object.values(errors_by_message).reduce((a, b) => a + b, 0)).toBe(2_000);
    expect(Object.keys(errors_by_message).length).toBeLessThan(50);
  });

  it('puts SNRs together that differ by rounding alone', () => {
    // 0.1 dB as binary32, as it comes over the wire.
    const tally = tallyOf([classified(1, 1, Math.fround(0.1)), classified(1, 1, 0.1)]);
    expect(tally.summary(0, {}).accuracy_by_snr_db).toEqual({ '0.1': 1 });
  });
});
