import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { defineConfig, group, loadConfig } from '../config/index.js';
import { createChannelModel } from './channel-config.js';
import { channelOptions, settingsFromOptions } from './channel-options.js';
import { simulatedModelNames } from './channel-settings.js';

const definition = defineConfig({ name: 'test', description: 'A test.', fields: { channel: group(channelOptions) } });
const folder = mkdtempSync(path.join(tmpdir(), 'semlink-options-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The settings that a command line says. */
async function settingsOf(flags: string, env: Record<string, string> = {}) {
  const argv = flags === '' ? [] : flags.split(' ');
  const { config } = loadConfig(definition, { argv, env });
  return settingsFromOptions(config!.channel);
}

describe('channel options', () => {
  it('say AWGN of 10 dB when nothing is said', async () => {
    await expect(settingsOf('')).resolves.toEqual({ model: 'awgn', snrDb: 10 });
  });

  it.each(simulatedModelNames)('make a model of %s with their defaults', async (model) => {
    const trace = path.join(folder, 'trace.csv');
    writeFileSync(trace, 'time_s,snr_db\n0,10\n1,20\n');
    const more: Record<string, string> = { trace: ` --channel-trace-file ${trace}`, taps: ' --channel-taps 0:0' };
    const settings = await settingsOf(`--channel-model ${model}${more[model] ?? ''}`);
    expect(createChannelModel(settings).name).toBe(model);
  });

  it('are flags, or variables', async () => {
    const flags =
      '--channel-model tdl-d --channel-snr-db 3 --channel-delay-spread-seconds 100ns --channel-doppler-hz 20 --channel-subcarriers 128';
    const tdl = {
      model: 'tdl-d',
      snrDb: 3,
      delaySpreadSeconds: 1e-7,
      dopplerHz: 20,
      timeDomain: false,
      subcarriers: 128,
    };
    await expect(settingsOf(flags)).resolves.toEqual(tdl);
    const env = { SEMLINK_TEST_CHANNEL_MODEL: 'jakes', SEMLINK_TEST_CHANNEL_DOPPLER_HZ: '5' };
    await expect(settingsOf('', env)).resolves.toEqual({ model: 'jakes', snrDb: 10, dopplerHz: 5 });
    const taps = '--channel-model taps --channel-time-domain --channel-taps 0:0,1e-6:-3:90';
    await expect(settingsOf(taps)).resolves.toEqual({
      model: 'taps',
      snrDb: 10,
      timeDomain: true,
      taps: [
        { delaySeconds: 0, powerDb: 0, phaseDegrees: 0 },
        { delaySeconds: 1e-6, powerDb: -3, phaseDegrees: 90 },
      ],
    });
  });

  it('put impairments on any model', async () => {
    const flags =
      '--channel-model rayleigh-block --channel-carrier-frequency-offset-hz -50 --channel-phase-noise-linewidth-hz 2 ' +
      '--channel-shadowing-sigma-db 8 --channel-loss gilbert-elliott --channel-loss-unit symbol --channel-loss-bad 0.5';
    await expect(settingsOf(flags)).resolves.toEqual({
      model: 'rayleigh-block',
      snrDb: 10,
      coherenceSymbols: 0,
      impairments: {
        carrierFrequencyOffsetHz: -50,
        phaseNoiseLinewidthHz: 2,
        shadowingSigmaDb: 8,
        shadowingDecorrelationSeconds: 0,
        loss: {
          kind: 'gilbert-elliott',
          goodToBad: 0.01,
          badToGood: 0.1,
          lossGood: 0,
          lossBad: 0.5,
          unit: 'symbol',
          stepSymbols: 64,
        },
      },
    });
  });

  it.each([
    ['--channel-model taps', 'number of taps is 0'],
    ['--channel-model taps --channel-taps 0', 'tap is "0"; write DELAY:POWER or DELAY:POWER:PHASE'],
    ['--channel-model taps --channel-taps 0:x', 'tap is "0:x"'],
    ['--channel-model trace', 'trace file is ""; name a .csv, .jsonl or .parquet file'],
    ['--channel-model trace --channel-trace-file /nowhere/x.csv', 'there is no such file'],
    ['--channel-model jakes --channel-doppler-hz 600000', 'doppler_hz is 600000'],
    ['--channel-model tdl-f', 'one of awgn, rayleigh-block'],
    ['--channel-loss-probability 2', '0 to 1'],
  ])('that are wrong are refused: %s', async (flags, message) => {
    await expect(settingsOf(flags)).rejects.toThrow(message);
  });
});
