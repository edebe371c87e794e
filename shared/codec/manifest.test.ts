import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Manifest, manifestSchema } from './manifest.js';
import { SMALL_LENGTHS, smallCalibration, smallManifest } from './small-model.fixture.js';

const good: Manifest = { ...smallManifest(), files: { 'weights.safetensors': 'a'.repeat(64) } };

/** What the schema says of a changed manifest. */
function complaint(change: Record<string, unknown>): string {
  const { error } = manifestSchema.safeParse({ ...good, ...change });
  return error ? z.prettifyError(error) : 'nothing';
}

describe('manifest', () => {
  it('comes back as it was, through JSON', () => {
    expect(manifestSchema.parse(JSON.parse(JSON.stringify(good)))).toEqual(good);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['another format', { format: 'semlink-model/2' }, /at format/],
    ['a version that is no folder name', { version: '../m' }, /lower-case letters.*\n?.*at version/],
    ['a version of capitals', { version: 'M-1' }, /at version/],
    ['two stages', { network: { ...good.network, stages: [1, 2] } }, /at network\.stages/],
    ['no pixels', { network: { ...good.network, width: 0 } }, /at network\.width/],
    ['a hash that is none', { files: { 'encoder/saved_model.pb': 'abc' } }, /at files/],
    ['no calibration', { calibration: undefined }, /at calibration/],
    ['a cost of nothing', { cost: { ...good.cost, encoder: { parameters: 0, mflop: 1 } } }, /at cost\.encoder/],
    ['class names of another number', { classNames: ['a', 'b'] }, /at classNames/],
    ['lengths that do not ascend', { channelUses: [1, 4, 2, 8] }, /at channelUses/],
    ['a longest length that is not the network’s', { channelUses: SMALL_LENGTHS.slice(0, 3) }, /at channelUses/],
    ['a calibration of other lengths', { calibration: smallCalibration([1, 2, 3, 8]) }, /at calibration\.channelUses/],
  ])('refuses %s, saying where', (_, change, sentence) => {
    expect(complaint(change)).toMatch(sentence);
  });
});
