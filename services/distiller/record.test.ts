import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EpochRecord, TrainingRecord } from './record.js';

const epochOf = (epoch: number): EpochRecord => ({
  epoch,
  step: 351 * epoch,
  loss: { task: 1.5 / epoch, auxiliary: 1.4 / epoch, teacher: 0 },
  semanticBits: 0,
  accuracy: 0.1 * epoch,
  imagesPerSecond: 900,
  learningRate: 0.006,
  ...(epoch % 2 === 0 && { holdout: { 'awgn 10 dB k=32': 0.8 } }),
});

describe('TrainingRecord', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = path.join(mkdtempSync(path.join(os.tmpdir(), 'semlink-record-')), 'run');
    file = path.join(folder, 'training.jsonl');
  });
  afterEach(() => rmSync(path.dirname(folder), { recursive: true, force: true }));
  const lines = () =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line)
      .map((line) => JSON.parse(line) as EpochRecord);

  async function recordOf(epochs: number): Promise<TrainingRecord> {
    const record = new TrainingRecord(folder);
    await record.truncate(0);
    for (let epoch = 1; epoch <= epochs; epoch++) await record.append(epochOf(epoch));
    return record;
  }

  it('holds one JSON line an epoch', async () => {
    await recordOf(3);
    expect(lines()).toEqual([epochOf(1), epochOf(2), epochOf(3)]);
    expect(readFileSync(file, 'utf8').endsWith('}\n')).toBe(true);
  });

  it('drops what comes after the step that a run goes on from, and keeps the rest', async () => {
    const record = await recordOf(4);
    await record.truncate(2 * 351 + 350);
    expect(lines()).toEqual([epochOf(1), epochOf(2)]);
    await record.truncate(2 * 351);
    expect(lines()).toEqual([epochOf(1), epochOf(2)]);
    await record.append(epochOf(3));
    expect(lines()).toEqual([epochOf(1), epochOf(2), epochOf(3)]);
    await record.truncate(0);
    expect(lines()).toEqual([]);
  });

  it('begins in a folder that is not there yet', async () => {
    expect(existsSync(folder)).toBe(false);
    await new TrainingRecord(folder).truncate(0);
    expect(lines()).toEqual([]);
  });

  it('goes on after a process was killed in the middle of a line', async () => {
    const record = await recordOf(2);
    appendFileSync(file, JSON.stringify(epochOf(3)).slice(0, 40));
    await record.truncate(10_000);
    await record.append(epochOf(3));
    expect(lines()).toEqual([epochOf(1), epochOf(2), epochOf(3)]);
  });
});
