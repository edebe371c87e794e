import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatHostPort, hostPort, parseHostPort } from './address.js';

test('addresses survive formatting', () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
  fc.assert(
    fc.property(host, fc.integer({ min: 0, max: 65535 }), (name, port) => {
      expect(parseHostPort(formatHostPort({ host: name, port }))).toEqual({ host: name, port });
    }),
  );
});

test('what is no address is refused', () => {
  for (const text of ['', 'host', ':1', 'host:', 'host:65536', '::1:80', 'http://a:1', 'a:1:2', 'a b:1']) {
    expect(hostPort().safeParse(text).success, text).toBe(false);
    expect(() => parseHostPort(text)).toThrow('is no address');
  }
});
