import { describe, expect, it } from 'vitest';
import { InputPool } from './input-pool.js';
import { DataType } from './saved-model.js';

const ports = [
  { name: 'rgb', type: DataType.uint8, shape: [2, 2, 3] },
  { name: 'snr_db', type: DataType.float32, shape: [1] },
];

describe('InputPool', () => {
  it('gives arrays of the length and type of each port', () => {
    const [rgb, snrDb] = new InputPool(ports, 2).take(5);
    expect(rgb).toBeInstanceOf(Uint8Array);
    expect(rgb).toHaveLength(60);
    expect(snrDb).toBeInstanceOf(Float32Array);
    expect(snrDb).toHaveLength(5);
  });

  it('gives the same memory again for as many frames or fewer, and other memory for more', () => {
    const pool = new InputPool(ports, 2);
    const first = pool.take(5);
    pool.give(first);
    const again = pool.take(8);
    expect(again.map(({ buffer }) => buffer)).toEqual(first.map(({ buffer }) => buffer));
    expect(again[0]!.buffer).toBe(first[0]!.buffer);
    pool.give(again);
    expect(pool.take(9)[0]!.buffer).not.toBe(first[0]!.buffer);
  });

  it('gives no memory twice at a time, and keeps no more than it should', () => {
    const pool = new InputPool(ports, 2);
    const sets = [1, 1, 1, 1].map((batch) => pool.take(batch));
    expect(new Set(sets.map(([rgb]) => rgb!.buffer)).size).toBe(4);
    for (const set of sets) pool.give(set);
    const kept = [1, 1, 1].map((batch) => pool.take(batch)[0]!.buffer);
    expect(kept.filter((buffer) => sets.some(([rgb]) => rgb!.buffer === buffer))).toHaveLength(2);
  });

  it('passes over arrays that are not those of its ports', () => {
    const pool = new InputPool(ports, 2);
    pool.give([new Float32Array(3)]);
    pool.give([new Uint8Array(5), new Float32Array(1)]);
    expect(pool.take(1)[0]).toHaveLength(12);
  });
});
