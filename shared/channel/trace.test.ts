import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parquetWriteFile } from 'hyparquet-writer';
import { afterAll, describe, expect, it } from 'vitest';
import { type ChannelSettings, createChannelModel } from './channel-config.js';
import { meanPower, ones, send } from './statistics.fixture.js';
import type { Trace } from './trace.js';
import { loadTrace } from './trace-file.js';

const folder = mkdtempSync(path.join(tmpdir(), 'semlink-trace-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const full = path.join(folder, name);
  writeFileSync(full, text);
  return full;
}

const replay = (trace: Trace, more: Partial<Extract<ChannelSettings, { model: 'trace' }>> = {}) =>
  createChannelModel({ model: 'trace', snrDb: 60, symbolRateHz: 1e3, trace, ...more });

const triangle: Trace = { kind: 'gain', timesSeconds: [5, 5.1, 5.3], values: [1, 0, 0, 2, -1, 0] };

describe('a trace of gains', () => {
  it('is interpolated linearly, looped, and has mean power 1 over a round', () => {
    // Rounds of 0.3 s * 3 / 2, 450 symbols.
    const { gains } = send(replay(triangle), ones(1_350), 50);
    expect(Math.abs(meanPower(gains) - 1)).toBeLessThan(2e-3);
    const scale = gains[0]!;
    expect(gains[1]).toBe(0);
    const at = (i: number) => [gains[2 * i]! / scale, gains[2 * i + 1]! / scale];
    const wanted: [number, number, number][] = [
      [50, 0.5, 1],
      [100, 0, 2],
      [200, -0.5, 1],
      [300, -1, 0],
      [375, 0, 0],
      [425, 2 / 3, 0],
    ];
    for (const [i, re, im] of wanted) {
      for (const round of [0, 450, 900]) {
        expect(at(i + round)[0]).toBeCloseTo(re, 5);
        expect(at(i + round)[1]).toBeCloseTo(im, 5);
      }
    }
  });

  it('can hold each value, and stop at the last', () => {
    const { gains } = send(replay(triangle, { interpolation: 'previous', loop: false }), ones(600), 7);
    // 0.1 s of power 1, then 0.2 s of power 4: mean 3.
    const scale = 1 / Math.sqrt(3);
    for (const [i, re, im] of [
      [0, 1, 0],
      [99, 1, 0],
      [100, 0, 2],
      [299, 0, 2],
      [300, -1, 0],
      [599, -1, 0],
    ] as const) {
      expect(gains[2 * i]).toBeCloseTo(re * scale, 6);
      expect(gains[2 * i + 1]).toBeCloseTo(im * scale, 6);
    }
    expect(meanPower(gains.subarray(0, 600))).toBeCloseTo(1, 5);
  });

  it('is the same from any position, in any frames', () => {
    const model = replay(triangle);
    const all = send(model, ones(2_000), 2_000).received;
    expect(send(model, ones(2_000), 33).received).toEqual(all);
    expect(send(model, ones(10), 3, undefined, 1_700).received).toEqual(all.slice(3_400, 3_420));
  });
});

describe('a trace of SNR', () => {
  it('says what |h|^2 / N0 is at any time, around its own mean', () => {
    const trace: Trace = { kind: 'snr', timesSeconds: [0, 1, 2, 3], values: [10, 20, 0, 5] };
    const model = replay(trace);
    const { gains } = send(model, ones(4_000), 100);
    const { noisePower } = model.apply(
      ones(1),
      { random: { kernel: { multiply() {} }, addComplexNormals() {} } as never, position: 0 },
      ones(1),
    );
    const snrDb = (i: number) => 10 * Math.log10((gains[2 * i]! ** 2 + gains[2 * i + 1]! ** 2) / noisePower);
    for (const [i, wanted] of [
      [0, 10],
      [500, 15],
      [1_000, 20],
      [1_250, 15],
      [2_000, 0],
      [2_500, 2.5],
      [3_000, 5],
      [3_500, 7.5],
    ] as const) {
      expect(snrDb(i)).toBeCloseTo(wanted, 4);
    }
    expect(meanPower(gains)).toBeCloseTo(1, 2);
    expect(10 ** (-model.snrDb / 10)).toBeCloseTo(noisePower, 6);
  });
});

describe('trace files', () => {
  const snr = { kind: 'snr', timesSeconds: Float64Array.of(0, 0.5, 2), values: Float64Array.of(10, -3.5, 7) };
  const gain = { kind: 'gain', timesSeconds: Float64Array.of(0, 1), values: Float64Array.of(1, 0.5, -1, 2e-3) };

  it('are read as CSV, JSON lines and Parquet', async () => {
    const csv = file('snr.csv', '# measured\ntime_s,snr_db\n0,10\n0.5,-3.5\n\n2,7\n');
    await expect(loadTrace(csv)).resolves.toEqual(snr);
    const jsonl = file('gain.jsonl', '{"time_s":0,"re":1,"im":0.5,"note":"x"}\r\n{"time_s":1,"re":-1,"im":2e-3}\r\n');
    await expect(loadTrace(jsonl)).resolves.toEqual(gain);
    const parquet = path.join(folder, 'snr.parquet');
    parquetWriteFile({
      filename: parquet,
      columnData: [
        { name: 'time_s', data: [...snr.timesSeconds], type: 'DOUBLE' },
        { name: 'snr_db', data: [...snr.values], type: 'DOUBLE' },
      ],
    });
    await expect(loadTrace(parquet)).resolves.toEqual(snr);
  });

  it.each([
    ['hole.csv', 'time_s,snr_db\n0,1\n1,\n2,3\n', 'snr_db in line 3 of'],
    ['nan.csv', 'time_s,snr_db\n0,1\n1,NaN\n', 'snr_db in line 3 of'],
    ['short.csv', 'time_s,re,im\n0,1,0\n1,2\n', 'line 3 of'],
    ['back.csv', 'time_s,snr_db\n0,1\n2,1\n1,1\n', 'times must rise strictly; the one before is 2 s'],
    ['columns.csv', 'time,snr\n0,1\n', 'it needs time_s and snr_db, or time_s, re and im'],
    ['empty.csv', 'time_s,snr_db\n', 'is 0; use 1 to 1000000'],
    ['null.jsonl', '{"time_s":0,"snr_db":1}\n{"time_s":1,"snr_db":null}\n', 'snr_db in line 2 of'],
    ['missing.jsonl', '{"time_s":0,"snr_db":1}\n{"time_s":1}\n', 'snr_db in line 2 of'],
    ['broken.jsonl', '{"time_s":0,"snr_db":1}\n{"time_s"', 'it must be one JSON object'],
    ['broken.parquet', 'PAR1 no', 'it cannot be read as Parquet'],
    ['far.csv', 'time_s,snr_db\n0,1e9\n', 'SNR of trace point 0 is 1000000000'],
    ['early.csv', 'time_s,snr_db\n-1,1\n', 'time of trace point 0 is -1; start at 0 s or later'],
    ['trace.txt', '', 'use a .csv, .jsonl, .parquet or'],
  ])('that are wrong are refused with what is wrong: %s', async (name, text, message) => {
    await expect(loadTrace(file(name, text))).rejects.toThrow(message);
  });

  it('that are not there are NOT_FOUND', async () => {
    await expect(loadTrace(path.join(folder, 'none.csv'))).rejects.toMatchObject({ code: 5 });
  });
});
