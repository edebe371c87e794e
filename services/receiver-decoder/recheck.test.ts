import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { type FrameHeader, FrameHeaderSchema } from '../../shared/gen/semlink/v1/frame_pb.js';
import { resourceExhausted } from '../../shared/rpc/errors.js';
import { ServiceMetrics } from '../../shared/telemetry/index.js';
import { parseExposition } from '../../test/telemetry/exposition-parse.js';
import { type Decoder, Recheck, worseView } from './recheck.js';
import type { DecodeJob } from './symbol-codec.js';

const k = 64;
const job: DecodeJob = {
  received: new Float32Array(2 * k).fill(1),
  channel: { gains: [1, 0], blockSymbols: k, noisePower: 0.5 },
};
const header = (sequence: number): FrameHeader =>
  create(FrameHeaderSchema, { linkId: 'uav', sequence: BigInt(sequence) });

describe('worseView', () => {
  it('adds noise of N0 and says 2 N0, and leaves the frame as it was', () => {
    let power = 0;
    for (let frame = 0; frame < 500; frame++) {
      const view = worseView(job, 'uav', frame * k);
      expect(view.channel).toEqual({ ...job.channel, noisePower: 1 });
      view.received.forEach((value, i) => {
        power += (value - job.received[i]!) ** 2;
      });
    }
    // 32,000 complex numbers of mean power 0.5, each of a standard deviation of 0.5: 0.0028 for the mean.
    expect(power / 500 / k).toBeCloseTo(0.5, 1);
    expect(job.received.every((value) => value === 1)).toBe(true);
  });

  it('is the same every time, and another for another frame or link; without noise it is the frame', () => {
    const of = (linkId: string, position: number) => [...worseView(job, linkId, position).received];
    expect(of('uav', 64)).toEqual(of('uav', 64));
    expect(of('uav', 64)).not.toEqual(of('uav', 128));
    expect(of('uav', 64)).not.toEqual(of('car', 64));
    const clear = worseView({ ...job, channel: { ...job.channel, noisePower: 0 } }, 'uav', 0);
    expect(clear).toEqual({ ...job, channel: { ...job.channel, noisePower: 0 } });
  });
});

describe('Recheck', () => {
  const answering = (label: number): Decoder => ({
    submit: (_, done) => done({ result: { label, confidence: 1, probabilities: new Float32Array(1) } }, undefined),
  });
  const look = async (share: number, frames: number, model: Decoder, enabled = true) => {
    const metrics = new ServiceMetrics('receiver-decoder', { processMetrics: false, enabled });
    const recheck = new Recheck(metrics, share);
    for (let i = 0; i < frames; i++) recheck.look(model, header(i), job, 0n, 3);
    return parseExposition(await metrics.registry.metrics());
  };

  it('counts how many were looked at, and how many answers changed', async () => {
    const same = await look(1, 100, answering(3));
    expect(same.value('semlink_rechecked_total', { link: 'uav' })).toBe(100);
    expect(same.value('semlink_disagreed_total', { link: 'uav' })).toBe(0);
    const other = await look(1, 100, answering(4));
    expect(other.value('semlink_disagreed_total', { link: 'uav' })).toBe(100);
  });

  it('takes the share it is told to, none of 0 and none without metrics', async () => {
    const tenth = (await look(0.1, 5000, answering(3))).value('semlink_rechecked_total');
    // Six standard deviations around 500.
    expect(Math.abs(tenth! - 500)).toBeLessThan(128);
    const never = { submit: () => expect.unreachable() };
    expect((await look(0, 100, never)).value('semlink_rechecked_total')).toBeUndefined();
    await look(1, 100, never, false);
  });

  it('gives a look up when the queue is full or the batch fails', async () => {
    const full = await look(1, 5, {
      submit: () => {
        throw resourceExhausted('engine queue', 'full', 'send fewer frames');
      },
    });
    expect(full.value('semlink_dropped_total', { what: 'recheck' })).toBe(5);
    const failed = await look(1, 5, {
      submit: (_, done) => done(undefined, new Error('gone')),
    });
    expect(failed.value('semlink_dropped_total', { what: 'recheck' })).toBe(5);
  });
});
