import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import {
  ChannelStateSchema,
  SymbolFormat,
  type SymbolFrame,
  SymbolFrameSchema,
} from '../../shared/gen/semlink/v1/frame_pb.js';
import { measured, receivedFrom } from './frame.js';

const state = { model: 'rayleigh-block', snrDb: 10, noisePower: 0.1, gains: [1, 0, 0, 2], blockSymbols: 2 };

function frameWith(channel: object): SymbolFrame {
  return create(SymbolFrameSchema, {
    format: SymbolFormat.FC32,
    channelUses: 4,
    iq: new Uint8Array(32),
    channel: create(ChannelStateSchema, { ...state, ...channel }),
  });
}

const report = (channel: object) => {
  const received = receivedFrom(frameWith(channel), 64);
  return { gains: received.channel.gains, ...measured(received.state, received.channel, 4) };
};

describe('what a receiver knows of the channel', () => {
  it('is the true state without an estimate', () => {
    const { gains, snrDb, instantaneousSnrDb } = report({});
    expect([gains, snrDb]).toEqual([state.gains, 10]);
    expect(instantaneousSnrDb).toBeCloseTo(10 * Math.log10((1 + 4) / 2 / 0.1), 6);
  });

  it('is what pilots show, with their gains where the frame has them', () => {
    const estimate = { snrDb: 9, instantaneousSnrDb: 12, errorVariance: 0.02, gains: [] as number[] };
    expect(report({ estimate })).toEqual({ gains: state.gains, snrDb: 9, instantaneousSnrDb: 12 });
    const gains = [0.5, 0.25, 0, 1.5];
    expect(report({ estimate: { ...estimate, gains } })).toEqual({ gains, snrDb: 9, instantaneousSnrDb: 12 });
  });

  it('is refused when the estimate is no good', () => {
    const estimate = { snrDb: 9, instantaneousSnrDb: 12, gains: [1, 0] };
    expect(() => report({ estimate })).toThrow(
      'channel.estimate.gains is [1,0]; use as many finite numbers as gains: 4',
    );
    expect(() => report({ estimate: { ...estimate, gains: [1, 0, Number.NaN, 0] } })).toThrow('channel.estimate.gains');
    expect(() => report({ estimate: { snrDb: Number.NaN } })).toThrow('channel.estimate is "NaN dB, 0 dB"; use finite');
  });
});
