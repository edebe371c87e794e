import { describe, expect, it } from 'vitest';
import { gnuRadioVersion, type InteropCase, runOverGnuRadio } from './gnuradio.js';

const version = gnuRadioVersion();
if (!version) {
  process.stderr.write(
    '\n==== NOT TESTED: GNU Radio is not installed (apt-get install --no-install-recommends gnuradio) ====\n\n',
  );
}

describe.runIf(version)(`images through GNU Radio ${version}`, () => {
  it.each<[string, InteropCase]>([
    ['PUSH/PULL, noise alone', { form: 'push-pull', snrDb: 10, flags: [], pilotSymbols: 0 }],
    [
      'REQ/REP, a delay and a gain',
      { form: 'req-rep', snrDb: 10, flags: ['--delay', '17', '--gain', '0.6+0.8j'], pilotSymbols: 16 },
    ],
  ])('%s: all arrive, right as over awgn, with the noise that GNU Radio adds', async (_, one) => {
    const { errors, accuracy, evm, expectedEvm, meanGain } = await runOverGnuRadio(200, one);
    expect(errors).toBe(0);
    // The model is right for 87 % of all images here; 200 images: almost 4 standard deviations.
    expect(accuracy).toBeGreaterThan(0.78);
    expect(meanGain).toBeGreaterThan(0.95);
    expect(meanGain).toBeLessThan(1.05);
    // 12,800 symbols: the EVM is within 1 %. A gain estimated from 16 pilots adds 1/16 of the noise power, 3 %.
    expect(evm / expectedEvm).toBeGreaterThan(0.97);
    expect(evm / expectedEvm).toBeLessThan(1.06);
  });
});
