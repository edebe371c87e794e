import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { calibratedAccuracy } from '../../shared/codec/calibration.js';
import { defaultModel } from '../../test/integration/link.fixture.js';
import { semlink } from '../../test/integration/semlink-command.fixture.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-evaluate-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('semlink evaluate', () => {
  it('measures a point, the same one every time, near its calibration', async () => {
    const { manifest } = await defaultModel();
    const json = path.join(folder, 'evaluate.json');
    const args = ['evaluate', '--images', '300', '--channel', 'awgn', '--snr-db', '10', '--k', '8', '--json', json];
    const runs: { results: { accuracy: number; semantic_bits: number }[] }[] = [];
    // From another folder: it finds the models and the data all the same.
    for (const cwd of [undefined, folder]) {
      const { status, stdout } = await semlink(args, cwd === undefined ? {} : { cwd });
      expect(status).toBe(0);
      runs.push(JSON.parse(await readFile(json, 'utf8')));
      const [{ accuracy }] = runs.at(-1)!.results as [(typeof runs)[0]['results'][0]];
      expect(stdout).toContain(`${manifest.version}, 300 test images of CIFAR-10, seed 1`);
      expect(stdout).toMatch(new RegExp(`^awgn +10 +8 +${(100 * accuracy).toFixed(2)} +\\d+\\.\\d\\d$`, 'm'));
    }
    const { accuracy, semantic_bits } = runs[0]!.results[0]!;
    const point = { model: manifest.version, channel: 'awgn', snr_db: 10, k: 8 };
    expect(runs[0]).toEqual({ results: [{ ...point, power: 'average', accuracy, images: 300, semantic_bits }] });
    // Unit power over 8 symbols: at most 8 log2(1 + 10), and less where it is not even.
    expect(semantic_bits).toBeGreaterThan(8);
    expect(semantic_bits).toBeLessThanOrEqual(8 * Math.log2(11) + 1e-6);
    expect(runs[1]).toEqual(runs[0]);
    const calibrated = calibratedAccuracy(manifest.calibration, 'awgn', manifest.channelUses.indexOf(8), 10);
    // Five standard errors of 300 images.
    expect(Math.abs(accuracy - calibrated)).toBeLessThan(5 * Math.sqrt((calibrated * (1 - calibrated)) / 300));
  }, 180_000);

  it('limits the peak, means over seeds, and takes the SNR by its short name', async () => {
    const json = path.join(folder, 'peak.json');
    const run = async (...args: string[]) => {
      const common = ['evaluate', '--images', '200', '--channel', 'rayleigh-block', '--snr', '4', '--k', '8'];
      expect((await semlink([...common, '--json', json, ...args])).status).toBe(0);
      return JSON.parse(await readFile(json, 'utf8')).results as Record<string, number>[];
    };
    const [both] = await run('--power', 'peak', '--seed', '5,6');
    const [five] = await run('--power', 'peak', '--seed', '5');
    const [average] = await run('--seed', '5');
    expect(both).toMatchObject({ power: 'peak', snr_db: 4, seeds: [5, 6], images: 200 });
    const bySeed = both!.accuracy_by_seed as unknown as [number, number];
    expect(bySeed[0]).toBe(five!.accuracy);
    expect(both!.accuracy).toBeCloseTo((bySeed[0] + bySeed[1]) / 2, 12);
    // The limiter takes power away, so the bound falls.
    expect(five!.semantic_bits).toBeLessThan(average!.semantic_bits!);
  }, 180_000);

  it.each([
    ['a length the model does not have', ['--k', '7'], /^semlink: --k 7: \S+ has the lengths 2, 4, /m],
    ['a model that is not there', ['--model', 'm-none-9'], /^semlink: no model "m-none-9" in \S+; there are l-/m],
    ['a folder without models', ['--models', tmpdir()], /^semlink: .*model/m],
  ])(
    '%s is one sentence and exit 1',
    async (_, flags, message) => {
      const { status, stdout, stderr } = await semlink(['evaluate', '--images', '10', ...flags]);
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toMatch(message);
    },
    60_000,
  );
});
