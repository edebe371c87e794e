import { describe, expect, it } from 'vitest';
import { channelModelNames, typicalSettings } from '../../../shared/channel/channel-config.js';
import { plainSettings } from './link-settings.js';
import { patchSettings } from './settings-patch.js';
import { flatten, unflatten, valueAt } from './settings-paths.js';

const base = plainSettings({ model: 'jakes', snrDb: 5, dopplerHz: 90, impairments: { shadowingSigmaDb: 4 } });
const budget = { transmitPowerDbm: 20, pathLossDb: 100, noiseFloorDbm: -100 };

describe('a patch', () => {
  it('changes what it names and leaves the rest', () => {
    const patched = patchSettings(base, { channel: { snrDb: 12 }, air: { jitterMs: 3 } });
    expect(patched).toEqual({ ...base, channel: { ...base.channel, snrDb: 12 }, air: { ...base.air, jitterMs: 3 } });
    expect(patchSettings(base, {})).toEqual(base);
    // The channel's object stays, so that its model need not be made again.
    expect(patchSettings(base, { air: { jitterMs: 3 } }).channel).toBe(base.channel);
  });

  it('starts another model from its typical parameters, with SNR and impairments as they were', () => {
    expect(patchSettings(base, { channel: { model: 'rician-block', kFactorDb: 3 } }).channel).toEqual({
      model: 'rician-block',
      snrDb: 5,
      coherenceSymbols: 0,
      kFactorDb: 3,
      impairments: { shadowingSigmaDb: 4 },
    });
    expect(patchSettings(base, { channel: { model: 'jakes', snrDb: 1 } }).channel).toMatchObject({ dopplerHz: 90 });
  });

  it('knows the keys of every model', () => {
    for (const model of channelModelNames) {
      const typical = typicalSettings(model, 3);
      expect(patchSettings(base, { channel: typical }).channel).toMatchObject(typical);
    }
  });

  it('lets a recording that is named begin anew', () => {
    const file = '/air.sigmf-meta';
    const replayed = patchSettings(base, {
      channel: { model: 'replay', replay: { file, start: 7 }, impairments: null },
    });
    expect(replayed.channel).toMatchObject({ replay: { file, start: 7, mode: 'samples', loop: true } });
    const other = patchSettings(replayed, { channel: { replay: { mode: 'channel' }, snrDb: 2 } });
    expect(other.channel).toMatchObject({ replay: { start: 7, mode: 'channel' } });
    const again = patchSettings(other, { channel: { replay: { file } } });
    expect(again.channel).toEqual({ model: 'replay', snrDb: 2, replay: { file, mode: 'channel', loop: true } });
  });

  it('takes optional values away with null', () => {
    const pilots = patchSettings(base, { feedback: { pilots: { count: 4 } } });
    expect(pilots.feedback.pilots).toEqual({ count: 4, powerDb: 0, equalise: false });
    expect(patchSettings(pilots, { feedback: { pilots: { powerDb: 3 } } }).feedback.pilots).toMatchObject({ count: 4 });
    expect(patchSettings(pilots, { feedback: { pilots: null } }).feedback.pilots).toBeNull();
    expect(patchSettings(base, { channel: { impairments: null } }).channel).not.toHaveProperty('impairments');
  });

  it('lets a budget make the SNR until an SNR is set', () => {
    const made = patchSettings(base, { budget });
    expect(made.budget).toEqual(budget);
    expect(patchSettings(made, { budget: { pathLossDb: 90 } }).budget).toEqual({ ...budget, pathLossDb: 90 });
    expect(patchSettings(made, { channel: { snrDb: 3 } }).budget).toBeNull();
    expect(patchSettings(made, { budget: null }).budget).toBeNull();
  });

  it('replaces another kind of loss whole', () => {
    const loss = { kind: 'erasure', probability: 0.1, unit: 'frame' };
    const one = patchSettings(base, { channel: { impairments: { loss } } });
    expect(one.channel.impairments).toEqual({ shadowingSigmaDb: 4, loss });
    const other = { kind: 'gilbert-elliott', goodToBad: 0.1, badToGood: 0.2, unit: 'frame' };
    expect(patchSettings(one, { channel: { impairments: { loss: other } } }).channel.impairments?.loss).toEqual(other);
  });

  it.each<[unknown, string]>([
    [[], 'patch is []; give a JSON object'],
    [{ snrDb: 3 }, 'patch: snrDb is 3; there is no such key; there are channel, budget, air, feedback'],
    [{ channel: 3 }, 'patch: channel is 3; give a JSON object'],
    [{ channel: { snrDB: 3 } }, 'patch: channel.snrDB is 3; there is no such key'],
    [{ channel: { snrDb: '3' } }, 'patch: channel.snrDb is "3"; give a number'],
    [{ channel: { snrDb: null } }, 'patch: channel.snrDb is null; give a number'],
    [
      { channel: { coherenceSymbols: 3 } },
      'patch: channel.coherenceSymbols is 3; jakes has model, snrDb, impairments, dopplerHz',
    ],
    [{ channel: { model: 'rayleigh' } }, 'patch: channel.model is "rayleigh"; use one of awgn, rayleigh-block'],
    [{ channel: { impairments: { loss: { kind: 3 } } } }, 'patch: channel.impairments.loss.kind is 3; give a string'],
    [{ air: { realTime: 1 } }, 'patch: air.realTime is 1; give a boolean'],
    [{ feedback: { pilots: 4 } }, 'patch: feedback.pilots is 4; give a JSON object'],
    [{ channel: { snrDb: 3 }, budget }, 'patch: channel.snrDb is 3; leave it out: the budget beside it makes the SNR'],
    [{ __proto__: null, constructor: 3 }, 'patch: constructor is 3; there is no such key'],
  ])('refuses %j', (patch, message) => {
    expect(() => patchSettings(base, patch)).toThrow(message);
  });
});

describe('paths', () => {
  it('name every value of a patch, there and back', () => {
    const patch = { channel: { snrDb: 3, impairments: { shadowingSigmaDb: 1 } }, air: { realTime: true } };
    const flat = flatten(patch);
    expect([...flat.keys()]).toEqual(['channel.snrDb', 'channel.impairments.shadowingSigmaDb', 'air.realTime']);
    expect(unflatten(flat)).toEqual(patch);
    expect(valueAt(base, 'channel.impairments.shadowingSigmaDb')).toBe(4);
    expect(valueAt(base, 'channel.toString.length')).toBeUndefined();
  });
});
