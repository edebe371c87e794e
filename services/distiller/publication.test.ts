import { expect, it } from 'vitest';
import { loadConfig } from '../../shared/config/index.js';
import { type DistillerConfig, distillerConfig } from './config.js';
import { manifestOf } from './publication.js';
import { networkSpec } from './sizes.js';
import type { StartOrigin } from './start-model.js';

const configWith = (overrides: Record<string, unknown>): DistillerConfig =>
  loadConfig(distillerConfig, { overrides }).config!;

function manifestWith(overrides: Record<string, unknown>, start?: StartOrigin) {
  const config = configWith(overrides);
  const calibration = { images: 5000, split: 'holdout', snrDb: [0, 10], channelUses: [8], accuracy: {} };
  const spec = networkSpec(config);
  return manifestOf({ config, spec, calibration, epochs: 1, steps: 1, seconds: 1, start });
}

const commandOf = (overrides: Record<string, unknown>) => manifestWith(overrides).training.command;

it('tells the command that makes the model again: its name and every option that is not the default', () => {
  expect(commandOf({})).toBe('semlink train --name m-cifar10-1');
  expect(commandOf({ size: 's', models: '/a', work: '/b', fresh: true })).toBe(
    'semlink train --name s-cifar10-1 --size s',
  );
  const all = commandOf({
    knowledge: '/k',
    seed: 3,
    channelUses: [4, 8],
    withoutAdaptation: true,
    precision: 'bfloat16',
  });
  expect(all.split(' --').sort()).toEqual([
    'channel-uses 4,8',
    'name m-cifar10-2',
    'precision bfloat16',
    'seed 3',
    'semlink distill',
    'without-adaptation',
  ]);
});

it('tells the model that was begun from by its name and hash, not by where it lay', () => {
  const start = { model: 's-1', weightsSha256: 'a'.repeat(64) };
  const { training } = manifestWith({ startFrom: '/somewhere/s-1' }, start);
  expect(training.command).toBe('semlink train --name m-cifar10-1 --start-from s-1');
  expect(training.startedFrom).toEqual(start);
  expect(JSON.stringify(training)).not.toContain('somewhere');
  expect(manifestWith({}).training).not.toHaveProperty('startedFrom');
});

it.each([
  ['s', 0.1e6, 8],
  ['m', 0.35e6, 25],
  ['l', 1e6, 90],
] as const)('size %s keeps to its limits', (size, parameters, mflop) => {
  const { cost } = manifestWith({ size });
  expect(cost.encoder.parameters).toBeLessThanOrEqual(parameters);
  expect(cost.encoder.mflop).toBeLessThanOrEqual(mflop);
});
