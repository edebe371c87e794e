import { create } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { WatchSymbolsResponseSchema } from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { symbolView } from './symbol-feed.js';

const bytes = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

it('takes the gain of each block out of what was received', () => {
  const view = symbolView(
    create(WatchSymbolsResponseSchema, {
      sequence: 7n,
      channelUses: 3,
      channelModel: 'rayleigh-block',
      snrDb: 6,
      // h = 2j for two symbols, then h = 0.5.
      gains: [0, 2, 0.5, 0],
      blockSymbols: 2,
      sent: bytes(1, 0, 0, 1, 1, 1),
      received: bytes(0, 2, -2, 0, 0.5, 0.5),
    }),
    4,
  );
  expect(view).toMatchObject({
    id: 4,
    sequence: 7,
    channelUses: 3,
    model: 'rayleigh-block',
    snrDb: 6,
    gainPower: 2.75,
  });
  expect(view.equalised).toEqual([1, 0, 0, 1, 1, 1]);
  expect(view.sent).toEqual([1, 0, 0, 1, 1, 1]);
});

it('shows so many symbols of a long frame, and keeps a faded one in sight', () => {
  const view = symbolView(
    create(WatchSymbolsResponseSchema, {
      channelUses: 500,
      gains: [0, 0],
      blockSymbols: 500,
      sent: bytes(...Array(1000).fill(0.7)),
      received: bytes(...Array(1000).fill(0.1)),
    }),
    1,
  );
  expect(view.sent).toHaveLength(256);
  expect(view.gainPower).toBe(0);
  expect(view.equalised.every((value) => Math.abs(value) < 1e-9)).toBe(true);
});
