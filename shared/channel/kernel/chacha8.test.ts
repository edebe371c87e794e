import { describe, expect, it } from 'vitest';
import { chacha8 } from './chacha8.js';

function block(key: Int32Array, number: number, purpose = 0): string {
  const words = new Int32Array(17);
  chacha8(key, number, purpose, 1, words);
  expect(words[0]).toBe(0);
  const bytes = Buffer.alloc(64);
  for (let i = 0; i < 16; i++) bytes.writeInt32LE(words[i + 1]!, 4 * i);
  return bytes.toString('hex');
}

describe('chacha8', () => {
  it('gives the known answers of eight rounds and a key of 256 bits (draft-strombergson-chacha-test-vectors)', () => {
    expect(block(new Int32Array(8), 0)).toBe(
      '3e00ef2f895f40d67f5bb8e81f09a5a12c840ec3ce9a7f3b181be188ef711a1e' +
        '984ce172b9216f419f445367456d5619314a42a3da86b001387bfdb80e0cfe42',
    );
    expect(block(Int32Array.of(1, 0, 0, 0, 0, 0, 0, 0), 0).slice(0, 32)).toBe('cf5ee9a0494aa9613e05d5ed725b804b');
  });

  it('gives other words for another block, far ones too, purpose and key', () => {
    const key = new Int32Array(8);
    const all = [0, 1, 2 ** 32, 2 ** 32 + 1, 2 ** 50].map((number) => block(key, number));
    all.push(block(key, 0, 1), block(Int32Array.of(0, 0, 0, 0, 0, 0, 0, 1), 0));
    expect(new Set(all).size).toBe(7);
  });
});
