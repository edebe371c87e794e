import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../shared/config/index.js';
import { defaultAir } from './air/air-time.js';
import { channelEmulatorConfig } from './config.js';
import { defaultFeedback } from './feedback/feedback-settings.js';
import { linkDefaults } from './link-options.js';

const defaultsOf = (...argv: string[]) => linkDefaults(loadConfig(channelEmulatorConfig, { argv }).config!);
const budget = [
  '--budget-transmit-power-dbm',
  '20',
  '--budget-path-loss-db',
  '110',
  '--budget-noise-floor-dbm',
  '-107',
];

describe('options of the links', () => {
  it('are the defaults of the settings', () => {
    expect(defaultsOf()).toEqual({ budget: null, air: defaultAir, feedback: defaultFeedback });
  });

  it('say budget, air and feedback', () => {
    const air = ['--air-symbol-rate-hz', '2e6', '--air-real-time', '--air-propagation-delay-ms', '250us'];
    const feedback = ['--feedback-pilots', '4', '--feedback-pilot-power-db', '3', '--feedback-bits', '5'];
    expect(defaultsOf(...budget, ...air, ...feedback)).toMatchObject({
      budget: { transmitPowerDbm: 20, pathLossDb: 110, noiseFloorDbm: -107 },
      air: { symbolRateHz: 2e6, realTime: true, propagationDelayMs: 0.25 },
      feedback: { pilots: { count: 4, powerDb: 3, equalise: false }, bits: 5 },
    });
  });

  it.each([
    [budget.slice(0, 4), 'make the SNR together: give all three or none'],
    [
      ['--feedback-least-snr-db', '40'],
      '--feedback-least-snr-db is 40; use less than --feedback-greatest-snr-db, which is 30',
    ],
    [['--feedback-loss-probability', '1.5'], '--feedback-loss-probability'],
    [['--air-symbol-rate-hz', '0'], '--air-symbol-rate-hz'],
    [['--admin-listen', 'nowhere'], '--admin-listen'],
  ])('refuse %j', (argv, message) => {
    expect(() => defaultsOf(...argv)).toThrow(message);
  });
});
