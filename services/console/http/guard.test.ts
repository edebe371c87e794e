import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { checkHost, checkPost, mostBodyBytes, readJson } from './guard.js';

describe('checkHost', () => {
  it.each(['localhost:8088', 'LOCALHOST', '127.0.0.1:8088', '[::1]:8088', '10.0.0.7', 'console.localhost:1'])(
    'takes %s',
    (host) => checkHost({ host }, []),
  );
  it.each(['evil.example:8088', '', 'localhost.evil.example', '127.0.0.1.evil.example', 'a'])(
    'refuses "%s"',
    (host) => {
      expect(() => checkHost({ host }, ['link.example'])).toThrow(/does not answer to the name/);
    },
  );
  it('takes names it was told', () => checkHost({ host: 'Link.example:443' }, ['link.EXAMPLE']));
});

describe('checkPost', () => {
  const good = { host: '127.0.0.1:8088', origin: 'http://127.0.0.1:8088', 'content-type': 'application/json' };
  it('takes JSON from the page itself', () => {
    checkPost(good);
    checkPost({ ...good, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json; charset=utf-8' });
    checkPost({ ...good, host: 'a.example', origin: 'https://a.example' });
  });
  it.each([
    ['no origin', { origin: undefined }],
    ['another origin', { origin: 'http://evil.example' }],
    ['another port', { origin: 'http://127.0.0.1:8089' }],
    ['an opaque origin', { origin: 'null' }],
    ['a browser that says it is another site', { 'sec-fetch-site': 'cross-site' }],
    ['a browser that says it is another port', { 'sec-fetch-site': 'same-site' }],
  ])('refuses %s', (_, change) => {
    expect(() => checkPost({ ...good, ...change })).toThrow(expect.objectContaining({ status: 403 }));
  });
  it.each(['text/plain', 'application/x-www-form-urlencoded', undefined, 'application/jsonp'])(
    'refuses content of type %s',
    (type) => {
      expect(() => checkPost({ ...good, 'content-type': type })).toThrow(expect.objectContaining({ status: 415 }));
    },
  );
  it('refuses a body that says it is too large', () => {
    expect(() => checkPost({ ...good, 'content-length': '5000' })).toThrow(expect.objectContaining({ status: 413 }));
  });
});

describe('readJson', () => {
  it('reads JSON', async () => expect(await readJson(Readable.from(['{"a"', ':1}']))).toEqual({ a: 1 }));
  it('stops at its bound', async () => {
    let read = 0;
    const endless = async function* () {
      for (;;) {
        read += 1024;
        yield Buffer.alloc(1024, 0x20);
      }
    };
    await expect(readJson(endless())).rejects.toMatchObject({ status: 413 });
    expect(read).toBeLessThanOrEqual(mostBodyBytes + 1024);
  });
  it('says what is no JSON', async () => {
    await expect(readJson(Readable.from(['{']))).rejects.toMatchObject({ status: 400 });
  });
});
