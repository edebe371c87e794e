import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishModel } from '../../shared/codec/model-folder.js';
import type { NetworkSpec } from '../../shared/codec/network.js';
import { randomWeights, SMALL_SPEC, smallManifest } from '../../shared/codec/small-model.fixture.js';
import { semlink } from '../../test/integration/semlink-command.fixture.js';
import type { ReportData } from './report/data.js';
import { escapeText } from './report/plot.js';

/** The small network, but for CIFAR-10's images and classes. */
const SPEC: NetworkSpec = { ...SMALL_SPEC, width: 32, height: 32, classes: 10 };
const RUN = { size: 'S', epochs: 2, what: 'distilled' };
const POINT = { channel: 'awgn', snr_db: 10, k: 8 };

let folder: string;
let out: string;
let html: string;
let data: ReportData;
let printed: { status: number | string; stdout: string; stderr: string };

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-report-'));
  const models = path.join(folder, 'models');
  const results = path.join(folder, 'results');
  await publishModel(models, smallManifest('s-1', SPEC), randomWeights(SPEC, 1));
  await publishModel(models, smallManifest('m-1', SPEC), randomWeights(SPEC, 2));
  await mkdir(results);
  const record = (name: string, list: unknown[]) =>
    writeFile(path.join(results, name), JSON.stringify({ results: list }));
  await record('pixels.json', [
    { codec: '<webp>', channel: 'awgn', snr_db: 10, k: 512, accuracy: 0.4321, images: 100 },
  ]);
  await record('data-axis.json', [
    { run: 'a', ...RUN, images: 4500, seed: 1, points: [{ ...POINT, accuracy: 0.7 }] },
    { run: 'b', ...RUN, images: 4500, seed: 2, points: [{ ...POINT, accuracy: 0.72 }] },
    { run: 'c', ...RUN, images: 45_000, seed: 1, points: [{ ...POINT, accuracy: 0.9 }] },
  ]);
  const trained = { size: 's', epochs: 1, images: 500 };
  await record('ablations.json', [
    { run: 'full', ...trained, seed: 1, what: 'all parts', points: [{ ...POINT, accuracy: 0.7 }] },
    { run: 'full-seed2', ...trained, seed: 2, what: 'all parts', points: [{ ...POINT, accuracy: 0.74 }] },
    { run: 'snr10', ...trained, seed: 1, what: 'one model for 10 dB', points: [{ ...POINT, accuracy: 0.71 }] },
  ]);
  await record('teacher-in-loop.json', [
    {
      run: 'in-loop-seed1',
      ...trained,
      seed: 1,
      what: 'the teacher in the loop',
      points: [{ ...POINT, accuracy: 0.73 }],
    },
  ]);
  out = path.join(folder, 'out');
  const args = ['--models', models, '--results', results, '--out', out, '--images', '40', '--seed', '1,2'];
  printed = await semlink(['report', ...args, '--snr', '0,10', '--k', '2,8', '--latency-calls', '5']);
  html = await readFile(path.join(out, 'report.html'), 'utf8');
  data = JSON.parse(await readFile(path.join(out, 'report.json'), 'utf8')) as ReportData;
}, 180_000);
afterAll(() => rm(folder, { recursive: true }));

const titles = (text: string) => [...text.matchAll(/<title>([^<]*)<\/title><\/g>/g)].map(([, title]) => title);

describe('semlink report', () => {
  it('says where the page is', () => {
    expect(printed).toMatchObject({ status: 0, stdout: `${path.join(out, 'report.html')}\n` });
  });

  it('draws the numbers of its JSON, all of them and no others, in the page and in each SVG', async () => {
    const drawn = data.figures.map(({ x, y, series }) =>
      series.flatMap(({ name, points }) =>
        points.map((p) => {
          const error = p.error === undefined ? '' : ` ± ${p.error}`;
          return escapeText(`${name}; ${x.label}: ${p.x}; ${y.label}: ${p.y}${error}`);
        }),
      ),
    );
    expect(titles(html)).toEqual(drawn.flat());
    const files = await readdir(path.join(out, 'plots'));
    expect(files.sort()).toEqual(data.figures.map(({ id }) => `${id}.svg`).sort());
    for (const [i, { id }] of data.figures.entries()) {
      expect(titles(await readFile(path.join(out, 'plots', `${id}.svg`), 'utf8'))).toEqual(drawn[i]);
    }
  });

  it('draws what was measured: each point of a curve is one of the results', () => {
    const figure = data.figures.find(({ id }) => id === 'snr-m-1-awgn')!;
    expect(figure.series.map(({ name }) => name)).toEqual(['k = 2', 'k = 8']);
    for (const { name, points } of figure.series) {
      for (const { x, y, error } of points) {
        const result = data.results.find(
          (r) => r.model === 'm-1' && r.channel === 'awgn' && r.snr_db === x && `k = ${r.k}` === name,
        )!;
        expect(y).toBeCloseTo(100 * result.accuracy, 2);
        expect(error).toBeCloseTo(100 * result.accuracy_deviation, 2);
        expect(result.accuracy).toBeCloseTo((result.accuracy_by_seed[0]! + result.accuracy_by_seed[1]!) / 2, 12);
      }
    }
  });

  it('puts every kind of result in: models, baselines, bound, pixels, papers, data axis, latency', () => {
    const length = data.figures.find(({ id }) => id === 'length-awgn-10dB')!;
    expect(length.series.map(({ name }) => name)).toEqual([
      'm-1',
      's-1',
      'on-device classifier, coded label',
      'capacity bound, any system',
      '<webp> + LDPC + QAM',
    ]);
    expect(length.series.at(-1)!.points).toEqual([{ x: 512, y: 43.21 }]);
    const axis = data.figures.find(({ id }) => id.startsWith('data-'))!;
    expect(axis.series[0]!.points).toEqual([
      { x: 4500, y: 71, error: 1.41 },
      { x: 45_000, y: 90 },
    ]);
    expect(data.models.map((m) => m.latency.length)).toEqual([6, 6]);
    expect(data.published.every((p) => p.ours.length === 2)).toBe(true);
    expect(html).toContain('there is no dense-knowledge.json');
    expect(html).not.toContain('there is no pixels.json');
  });

  it('refers to nothing outside itself', () => {
    expect(html).not.toMatch(
      /<(script|link|img|iframe|object|embed|base)\b|\b(src|href|srcset)=|url\(|@import|https?:/i,
    );
  });

  it('names what is wrong in a recorded file', async () => {
    const results = path.join(folder, 'wrong');
    await mkdir(results);
    await writeFile(path.join(results, 'pixels.json'), '{"results": [{"codec": "jpeg", "accuracy": 3}]}');
    const { status, stderr } = await semlink(['report', '--results', results, '--out', out]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^semlink: \S+pixels\.json has not the form it should: /m);
  }, 60_000);

  it('sets parts of the method and the teacher in the loop beside each other, with the spread over seeds', () => {
    const figure = data.figures.find(({ id }) => id === 'parts-awgn-k8')!;
    expect(figure.series).toEqual([
      { name: 'all parts', style: 'line', points: [{ x: 10, y: 72, error: 2.83 }] },
      { name: 'one model per SNR', style: 'dots', points: [{ x: 10, y: 71 }] },
      { name: 'the teacher in the loop', style: 'line', points: [{ x: 10, y: 73 }] },
    ]);
    expect(html).toContain('<td>72 ± 2.83</td>');
    expect(html).not.toContain('there is no teacher-in-loop.json');
  });
});
