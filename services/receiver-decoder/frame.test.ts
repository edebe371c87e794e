import { create, type MessageInitShape } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalise } from '../../shared/codec/equaliser.js';
import { encodeSymbols } from '../../shared/codec/symbols.js';
import {
  type ChannelStateSchema,
  SymbolFormat,
  type SymbolFrame,
  SymbolFrameSchema,
} from '../../shared/gen/semlink/v1/frame_pb.js';
import { Code, SemlinkError } from '../../shared/rpc/errors.js';
import { instantaneousSnrDb, receivedFrom, semanticBits } from './frame.js';

const MOST = 64;
type StateInit = MessageInitShape<typeof ChannelStateSchema>;

/** A good frame of k symbols in blocks of `blockSymbols`, but for what is changed. */
function frameOf(k: number, blockSymbols: number, state: StateInit = {}, format = SymbolFormat.FC32): SymbolFrame {
  const symbols = Float32Array.from({ length: 2 * k }, (_, i) => Math.cos(i));
  const { iq, scale } = encodeSymbols(format, symbols);
  return create(SymbolFrameSchema, {
    header: { linkId: 'link', sequence: 1n, captureTimeUnixNano: 1n },
    format,
    channelUses: k,
    sc16Scale: scale,
    iq,
    channel: {
      model: 'rayleigh-block',
      snrDb: 10,
      noisePower: 0.1,
      gains: Array.from({ length: 2 * Math.ceil(k / blockSymbols) }, (_, i) => Math.sin(i + 1)),
      blockSymbols,
      ...state,
    },
  });
}

function refusal(frame: SymbolFrame, most = MOST): SemlinkError {
  try {
    receivedFrom(frame, most);
  } catch (error) {
    if (error instanceof SemlinkError) return error;
    throw error;
  }
  throw new Error('the frame was taken');
}

describe('receivedFrom', () => {
  it('takes every whole frame as it is, in both formats', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: MOST }),
        fc.integer({ min: 1, max: 80 }),
        fc.constantFrom(SymbolFormat.FC32, SymbolFormat.SC16),
        (k, blockSymbols, format) => {
          const frame = frameOf(k, blockSymbols, {}, format);
          const { received, channel, state } = receivedFrom(frame, MOST);
          expect(received).toHaveLength(2 * k);
          received.forEach((value, i) => {
            expect(value).toBeCloseTo(Math.cos(i), 3);
          });
          expect(channel).toEqual({ gains: frame.channel!.gains, blockSymbols, noisePower: frame.channel!.noisePower });
          expect(state).toBe(frame.channel);
        },
      ),
    );
  });

  it('takes a channel without noise', () => {
    expect(receivedFrom(frameOf(4, 4, { noisePower: 0 }), MOST).channel.noisePower).toBe(0);
  });

  it.each<[string, SymbolFrame, RegExp]>([
    ['no symbols', Object.assign(frameOf(4, 4), { channelUses: 0 }), /^channel_uses is 0; the model takes 1 to 64/],
    ['more symbols than the model takes', frameOf(65, 65), /^channel_uses is 65; the model takes 1 to 64/],
    ['symbols cut short', Object.assign(frameOf(4, 4), { iq: new Uint8Array(31) }), /^length of iq is "31 bytes"/],
    ['an unset format', Object.assign(frameOf(4, 4), { format: SymbolFormat.UNSPECIFIED }), /^symbol format is/],
    [
      'a symbol that is NaN',
      Object.assign(frameOf(1, 1), { iq: new Uint8Array(8).fill(255) }),
      /^I of symbol 0 is NaN/,
    ],
    [
      'no channel state',
      Object.assign(frameOf(4, 4), { channel: undefined }),
      /^channel is undefined; the channel state/,
    ],
    ['noise that is NaN', frameOf(4, 4, { noisePower: Number.NaN }), /^channel\.noise_power is NaN; use a finite/],
    ['noise below nothing', frameOf(4, 4, { noisePower: -0.1 }), /^channel\.noise_power is -0\.1/],
    ['infinite noise', frameOf(4, 4, { noisePower: Number.POSITIVE_INFINITY }), /^channel\.noise_power is Infinity/],
    ['an SNR that is NaN', frameOf(4, 4, { snrDb: Number.NaN }), /^channel\.snr_db is NaN; use a finite number of dB/],
    ['an infinite SNR', frameOf(4, 4, { snrDb: Number.NEGATIVE_INFINITY }), /^channel\.snr_db is -Infinity/],
    ['blocks of nothing', frameOf(4, 4, { blockSymbols: 0 }), /^channel\.block_symbols is 0; use at least 1/],
    ['a gain too few', frameOf(4, 2, { gains: [1, 0] }), /^channel\.gains is \[1,0\]; 2 finite complex gains/],
    ['a gain too many', frameOf(4, 4, { gains: [1, 0, 1, 0] }), /^channel\.gains is \[1,0,1,0\]; 1 finite complex/],
    ['half a gain', frameOf(4, 4, { gains: [1] }), /^channel\.gains is \[1\]/],
    ['a gain that is NaN', frameOf(4, 4, { gains: [1, Number.NaN] }), /^channel\.gains is .*; 1 finite complex gains/],
  ])('refuses %s, naming the field, its value and what to do', (_, frame, sentence) => {
    const { code, message } = refusal(frame);
    expect(code).toBe(Code.INVALID_ARGUMENT);
    expect(message).toMatch(sentence);
  });

  it('gives symbols that the equaliser makes finite numbers of, or refuses by a sentence, whatever comes', () => {
    const number = fc.oneof(fc.float(), fc.constantFrom(0, 1, Number.NaN, Number.POSITIVE_INFINITY));
    const whole = fc.record({
      k: fc.integer({ min: 1, max: 5 }),
      blockSymbols: fc.integer({ min: 1, max: 5 }),
      format: fc.constantFrom(SymbolFormat.FC32, SymbolFormat.SC16),
    });
    const damage: fc.Arbitrary<(frame: SymbolFrame) => void> = fc.oneof(
      fc.constant(() => {}),
      fc.constantFrom(...Object.values(SymbolFormat)).map((format) => (frame: SymbolFrame) => {
        frame.format = format as SymbolFormat;
      }),
      fc.integer({ min: 0, max: 9 }).map((k) => (frame: SymbolFrame) => {
        frame.channelUses = k;
      }),
      number.map((scale) => (frame: SymbolFrame) => {
        frame.sc16Scale = scale;
      }),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => (frame: SymbolFrame) => {
        frame.iq.set(bytes.subarray(0, frame.iq.length));
      }),
      fc.nat({ max: 40 }).map((length) => (frame: SymbolFrame) => {
        frame.iq = frame.iq.subarray(0, length);
      }),
      number.map((snrDb) => (frame: SymbolFrame) => {
        frame.channel!.snrDb = snrDb;
      }),
      number.map((noisePower) => (frame: SymbolFrame) => {
        frame.channel!.noisePower = noisePower;
      }),
      fc.array(number, { maxLength: 6 }).map((gains) => (frame: SymbolFrame) => {
        frame.channel!.gains = gains;
      }),
      fc.integer({ min: 0, max: 5 }).map((blockSymbols) => (frame: SymbolFrame) => {
        frame.channel!.blockSymbols = blockSymbols;
      }),
    );
    let taken = 0;
    fc.assert(
      fc.property(whole, fc.array(damage, { maxLength: 2 }), ({ k, blockSymbols, format }, damages) => {
        const message = frameOf(k, blockSymbols, {}, format);
        for (const one of damages) one(message);
        try {
          const { received, channel } = receivedFrom(message, 4);
          taken++;
          expect(received).toHaveLength(2 * message.channelUses);
          expect(received.every(Number.isFinite)).toBe(true);
          const bounded = (values: ArrayLike<number>) => Array.from(values).every((v) => Math.abs(v) < 1e15);
          if (!bounded(received) || !bounded(channel.gains)) return;
          const out = new Float32Array(8);
          expect(Number.isFinite(equalise(received, channel, out))).toBe(true);
          expect(Number.isFinite(instantaneousSnrDb(channel, message.channelUses))).toBe(true);
          expect(out.some(Number.isNaN)).toBe(false);
        } catch (error) {
          if (!(error instanceof SemlinkError)) throw error;
          expect(error.code).toBe(Code.INVALID_ARGUMENT);
        }
      }),
      { numRuns: 1000 },
    );
    expect(taken).toBeGreaterThan(100);
  });
});

describe('instantaneousSnrDb', () => {
  it('is 10 log10 of the mean |h|^2 / N0, each block by its symbols', () => {
    expect(instantaneousSnrDb({ gains: [0, 1], blockSymbols: 8, noisePower: 0.1 }, 8)).toBeCloseTo(10, 10);
    // |h|^2 is 1 over two symbols and 4 over the last.
    const channel = { gains: [1, 0, 0, 2], blockSymbols: 2, noisePower: 0.2 };
    expect(instantaneousSnrDb(channel, 3)).toBeCloseTo(10, 10);
    expect(instantaneousSnrDb(channel, 2)).toBeCloseTo(10 * Math.log10(5), 10);
  });

  it('is what the equaliser tells the decoder', () => {
    const gain = fc.double({ min: -3, max: 3, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(gain, { minLength: 10, maxLength: 10 }),
        fc.integer({ min: 1, max: 10 }),
        fc.double({ min: 0.001, max: 10, noNaN: true }),
        (gains, symbols, noisePower) => {
          const channel = { gains: [...gains, ...gains], blockSymbols: 2, noisePower };
          const equalised = equalise(new Float32Array(2 * symbols), channel, new Float32Array(2 * symbols));
          const told = instantaneousSnrDb(channel, symbols);
          if (equalised > -60) expect(told).toBeCloseTo(equalised, 6);
          else expect(told).toBeLessThan(-50);
        },
      ),
    );
  });

  it('stays a number on a dead channel and on a perfect one', () => {
    expect(instantaneousSnrDb({ gains: [0, 0], blockSymbols: 4, noisePower: 0.1 }, 4)).toBeCloseTo(-80, 6);
    expect(instantaneousSnrDb({ gains: [1, 0], blockSymbols: 4, noisePower: 0 }, 4)).toBeCloseTo(90, 6);
  });
});

describe('semanticBits', () => {
  it('is k log2(1 + SNR) without fading, and the sum over blocks with it', () => {
    expect(semanticBits({ gains: [1, 0], blockSymbols: 8, noisePower: 0.1 }, 8)).toBeCloseTo(8 * Math.log2(11), 9);
    const faded = { gains: [1, 0, 0, 0.5, 0, 0], blockSymbols: 3, noisePower: 0.25 };
    expect(semanticBits(faded, 8)).toBeCloseTo(3 * Math.log2(5) + 3 * Math.log2(2), 9);
    expect(Number.isFinite(semanticBits({ gains: [1, 0], blockSymbols: 8, noisePower: 0 }, 8))).toBe(true);
  });
});
