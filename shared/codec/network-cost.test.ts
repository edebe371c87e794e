import { describe, expect, it } from 'vitest';
import type { NetworkSpec } from './network.js';
import { decoderCost, encoderCost } from './network-cost.js';
import { randomWeights, SMALL_SPEC } from './small-model.fixture.js';

const byHand: NetworkSpec = {
  width: 8,
  height: 8,
  classes: 3,
  stages: [2, 3, 4],
  maxChannelUses: 4,
  conditionUnits: 5,
  decoderUnits: 6,
};

/** Channel features: clip 2, affine 2, log 1, affine 2, dense 2 -> 5 and 5 -> 5 with relu. */
const channelFlop = 2 + 2 + 1 + 2 + (2 * 2 + 1) * 5 + 5 + (2 * 5 + 1) * 5 + 5;
const channelParameters = 3 * 5 + 6 * 5;

describe('network cost', () => {
  it('counts the encoder as a hand does', () => {
    const stem = 2 * 192 + 16 * (2 * 96 + 2) + 32; // affine of 8 x 8 x 3, convolution to 4 x 4 x 2, relu
    const a = 16 * (2 * 36 + 2) * 2 + 3 * 32; // two convolutions; relu, add, relu
    const b = 4 * (2 * 54 + 3) + 12 + 4 * (2 * 81 + 3) * 2 + 3 * 12;
    const c = 1 * (2 * 108 + 4) + 4 + 1 * (2 * 144 + 4) * 2 + 3 * 4;
    const context = (2 * 4 + 1) * 5 + 5;
    const gateFeatures = (2 * 10 + 1) * 4 + 4 * 4 + 4; // dense, sigmoid (4 each), product
    const symbols = (2 * 4 + 1) * 8;
    const gateSymbols = (2 * 10 + 1) * 4 + 4 * 4 + 4 + 4 + 8; // and the prefix mask and two products
    const power = 8 + 8 + 2 + 1 + 1 + 1 + 8; // squares, their sum, epsilon, roots, product, scaling
    const { flop, parameters } = encoderCost(byHand);
    expect(flop).toBe(stem + a + b + c + 4 + channelFlop + context + gateFeatures + symbols + gateSymbols + power);
    const convolutions = 98 + 2 * 38 + 57 + 2 * 84 + 112 + 2 * 148;
    expect(parameters).toBe(convolutions + channelParameters + 5 * 5 + 11 * 4 + 5 * 8 + 11 * 4);
  });

  it('counts the decoder as a hand does', () => {
    const gate = (2 * 5 + 1) * 6 + 4 * 6;
    const mixed = (2 * 8 + 1) * 6 + (2 * 5 + 1) * 6 + 6;
    const hidden = 6 + 6;
    const deeper = (2 * 6 + 1) * 6 + 6 + 6;
    const { flop, parameters } = decoderCost(byHand);
    expect(flop).toBe(channelFlop + gate + mixed + hidden + deeper + (2 * 6 + 1) * 3);
    expect(parameters).toBe(channelParameters + 6 * 6 + 9 * 6 + 6 * 6 + 7 * 6 + 7 * 3);
  });

  it('counts exactly the numbers that are served, batch normalisation folded', () => {
    const count = (role: string) =>
      [...randomWeights(SMALL_SPEC, 1)]
        .filter(([name]) => name.startsWith(`${role}/`) && /\/(kernel|bias|offset)$/.test(name))
        .reduce((sum, [, { data }]) => sum + data.length, 0);
    expect(encoderCost(SMALL_SPEC).parameters).toBe(count('encoder'));
    expect(decoderCost(SMALL_SPEC).parameters).toBe(count('decoder'));
  });

  it('keeps the published encoder within 0.35 million parameters and 25 MFLOP', () => {
    const { parameters, flop } = encoderCost({
      width: 32,
      height: 32,
      classes: 10,
      stages: [32, 48, 96],
      maxChannelUses: 64,
      conditionUnits: 32,
      decoderUnits: 256,
    });
    expect(parameters).toBeLessThanOrEqual(350_000);
    expect(flop).toBeLessThanOrEqual(25e6);
  });
});
