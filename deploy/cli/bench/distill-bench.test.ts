import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { colourModel, writeColourModel } from '../../../services/teacher/onnx.fixture.js';
import { semlink } from '../../../test/integration/semlink-command.fixture.js';
import type { DistillBench } from './distill-bench.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-bench-distill-'));
});
afterAll(() => rm(folder, { recursive: true }));

const TINY = [
  '--size',
  's',
  '--batch-size',
  '8',
  '--images',
  '500',
  '--rounds',
  '2',
  '--steps',
  '1',
  '--teacher-steps',
  '1',
];

function bench(...more: string[]) {
  // Its temporary files are to be gone when it ends.
  return semlink(['bench', 'distill', ...TINY, ...more], { env: { TMPDIR: folder } });
}

describe('semlink bench distill', () => {
  it('measures real training steps, with a teacher that it makes where none is named', {
    timeout: 240_000,
  }, async () => {
    const json = path.join(folder, 'results.json');
    const { status, stdout, stderr } = await bench('--gflop', '0.02', '--json', json);
    expect([status, stderr.includes('semlink:')]).toEqual([0, false]);
    const results = JSON.parse(await readFile(json, 'utf8')) as DistillBench;
    const rounds = {
      labels: results.rounds.labels!,
      cached: results.rounds.cached!,
      loop: results.rounds.teacher_in_loop!,
    };
    for (const rates of Object.values(rounds)) {
      expect(rates).toHaveLength(2);
      for (const rate of rates) expect(rate).toBeGreaterThan(0);
    }
    // The median of two is their mean.
    const mean = (a: number[], b: number[]) => (a[0]! / b[0]! + a[1]! / b[1]!) / 2;
    expect(results.cached_over_labels).toBeCloseTo(mean(rounds.cached, rounds.labels), 9);
    expect(results.cached_over_teacher_in_loop).toBeCloseTo(mean(rounds.cached, rounds.loop), 9);
    expect(results).not.toHaveProperty('tfjs_over_python_tensorflow');
    expect(results.images_per_second.labels).toBeCloseTo((rounds.labels[0]! + rounds.labels[1]!) / 2, 9);
    expect(results.bytes_per_view.dense).toBe(40);
    expect(results.bytes_per_view.stored).toBeGreaterThan(14);
    expect(results.bytes_per_view.stored).toBeLessThan(14.2);
    expect(results.teacher).toMatchObject({ random_weights: true });
    expect(Math.abs(results.teacher.gflop! - 0.02)).toBeLessThan(0.004);
    expect(results.settings).toMatchObject({ size: 's', batch_size: 8, images: 500, rounds: 2, steps: 1, threads: 1 });
    expect(results.machine).toMatchObject({ cores: expect.any(Number), tensorflow: expect.stringMatching(/^\d/) });
    expect(stdout).toMatch(/^teacher in the loop +\d+\.\d +\d+\.\d$/m);
    expect(stdout).toContain('0.02 GFLOP an image');
    expect((await readdir(folder)).filter((name) => name.startsWith('semlink-bench-'))).toEqual([]);
  });

  it("runs the user's own teacher", { timeout: 240_000 }, async () => {
    const onnx = path.join(folder, 'colours.onnx');
    await writeColourModel(onnx, colourModel(1, 32));
    const json = path.join(folder, 'own.json');
    expect(await bench('--teacher', onnx, '--json', json)).toMatchObject({ status: 0 });
    const { teacher } = JSON.parse(await readFile(json, 'utf8')) as DistillBench;
    expect(teacher).toEqual({ name: 'colours', gflop: null, random_weights: false });
  });

  it('says in one sentence what a Python lacks', { timeout: 240_000 }, async () => {
    const none = await bench('--gflop', '0.02', '--python', path.join(folder, 'none'));
    expect(none).toMatchObject({ status: 1, stdout: '' });
    expect(none.stderr).toMatch(/^semlink: --python \S+none cannot be started: .*ENOENT/m);
    const other = path.join(folder, 'python');
    await writeFile(other, '#!/bin/sh\necho "ModuleNotFoundError: No module named \'tensorflow\'" >&2\nexit 1\n');
    await chmod(other, 0o755);
    const { status, stderr } = await bench('--gflop', '0.02', '--python', other);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^semlink: --python \S+: the training script ended \(1\): ModuleNotFoundError: .*requirements\.txt$/m,
    );
  });

  it('--help tells every option', async () => {
    const { status, stdout } = await semlink(['bench', 'distill', '--help']);
    expect(status).toBe(0);
    for (const flag of ['--teacher SPEC', '--gflop', '--python PATH', '--knowledge', '--json FILE']) {
      expect(stdout).toContain(`\n  ${flag}`);
    }
  });
});
