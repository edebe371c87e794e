import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Code } from '../rpc/errors.js';
import { FolderStore } from './folder-store.js';
import { temporaryStore } from './sample-set.fixture.js';
import { openStore } from './store.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function names(list: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const name of list) all.push(name);
  return all;
}

describe('FolderStore', () => {
  it('lists names in order, below folders too, without what is hidden or unfinished', async () => {
    const store = await temporaryStore();
    for (const name of ['b', 'a/2', 'a/1', 'a-b', 'a.c']) await store.write(name, [bytes(name)]);
    const due = ['a-b', 'a.c', 'a/1', 'a/2', 'b'];
    expect(await names(store.list())).toEqual([...due].sort());
    expect(await names(store.list('a/'))).toEqual(['a/1', 'a/2']);
    expect(await names(store.below('a').list())).toEqual(['1', '2']);
    expect(await names(new FolderStore(`${store.url}/nowhere`).list())).toEqual([]);
  });

  it('reads ranges, shorter ones at the end, and sees a replaced object', async () => {
    const store = await temporaryStore();
    await store.write('x', [bytes('hello '), bytes('world')]);
    expect(await store.size('x')).toBe(11);
    expect(Buffer.from(await store.read('x', 6, 3)).toString()).toBe('wor');
    expect(Buffer.from(await store.read('x', 6, 100)).toString()).toBe('world');
    expect((await store.read('x', 50, 5)).length).toBe(0);
    await store.write('x', [bytes('other')]);
    expect(Buffer.from(await store.read('x', 0, 9)).toString()).toBe('other');
    await store.remove('x');
    await store.remove('x');
    expect(await store.size('x')).toBeUndefined();
    await expect(store.read('x', 0, 1)).rejects.toMatchObject({ code: Code.NOT_FOUND });
    store.close();
  });

  it('leaves the old object, and nothing else, when a write fails in the middle', async () => {
    const store = await temporaryStore();
    await store.write('x', [bytes('old')]);
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield bytes('new');
      throw new Error('the source broke');
    }
    await expect(store.write('x', broken())).rejects.toThrow('the source broke');
    expect(Buffer.from(await store.read('x', 0, 9)).toString()).toBe('old');
    expect(await readdir(store.url)).toEqual(['x']);
  });

  it('creates an object for one of several processes, and leaves it alone for the others', async () => {
    const store = await temporaryStore();
    const stores = Array.from({ length: 8 }, () => new FolderStore(store.url));
    const created = await Promise.all(stores.map((one, i) => one.create('x', [bytes(`of ${i}`)])));
    expect(created.filter(Boolean)).toHaveLength(1);
    expect(Buffer.from(await store.read('x', 0, 9)).toString()).toBe(`of ${created.indexOf(true)}`);
    expect(await store.create('x', [bytes('late')])).toBe(false);
    expect(await readdir(store.url)).toEqual(['x']);
    for (const one of stores) one.close();
  });

  it.each(['../x', '/x', 'a//b', '.x', 'a/../b', 'a\\b', ''])(
    'refuses the name %j, which could lead out of it',
    async (name) => {
      const store = await temporaryStore();
      await expect(store.write(name, [bytes('x')])).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
    },
  );

  it('is opened by a path or a file URL, and other kinds of URL are refused', async () => {
    expect((await openStore('/tmp/x')).url).toBe('/tmp/x');
    expect((await openStore('file:///tmp/x')).url).toBe('/tmp/x');
    await expect(openStore('gs://bucket/x')).rejects.toThrow('s3://bucket/prefix');
    await expect(openStore('s3://Not_A_Bucket')).rejects.toThrow('s3://bucket/prefix');
  });
});
