import { afterEach, describe, expect, it } from 'vitest';
import { until } from './hop.fixture.js';
import { type Lookup, Target, targetParts } from './target.js';

const made: Target[] = [];
afterEach(() => {
  for (const target of made.splice(0)) target.close();
});

/** A name service whose answers the test changes. */
function names(zone: Record<string, string[]>): { lookup: Lookup; asked: string[] } {
  const asked: string[] = [];
  const lookup: Lookup = (host) => {
    asked.push(host);
    const found = zone[host];
    if (!found) return Promise.reject(new Error(`getaddrinfo ENOTFOUND ${host}`));
    return Promise.resolve(found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
  };
  return { lookup, asked };
}

function target(text: string, lookup: Lookup): Target {
  const one = new Target(text, { lookup, refreshMs: 0, leastGapMs: 20 });
  made.push(one);
  return one;
}

const addresses = (one: Target) => one.endpoints.map(({ address }) => address);

describe('a target', () => {
  it('is a list of parts, and a form of grpc-js stays whole', () => {
    expect(targetParts('10.0.0.1:1, 10.0.0.2:1,10.0.0.1:1')).toEqual(['10.0.0.1:1', '10.0.0.2:1']);
    for (const whole of ['dns:///a.b:1', 'unix:/run/a,b', 'ipv4:10.0.0.1:1,10.0.0.2:1']) {
      expect(targetParts(whole)).toEqual([whole]);
    }
  });

  it('of numbers is known at once and asks nobody', () => {
    const { lookup, asked } = names({});
    expect(addresses(target('127.0.0.1:2,[::1]:1,127.0.0.1:1', lookup))).toEqual([
      '127.0.0.1:1',
      '127.0.0.1:2',
      '[::1]:1',
    ]);
    expect(asked).toEqual([]);
  });

  it('of names has all of their addresses, IPv4 where there are both', async () => {
    const { lookup } = names({ pods: ['10.0.0.2', '10.0.0.1', 'fd00::1'], six: ['fd00::2'] });
    const one = target('pods:5,six:6,10.9.9.9:7', lookup);
    expect(addresses(one)).toEqual(['10.9.9.9:7']);
    await one.settled();
    expect(addresses(one)).toEqual(['10.0.0.1:5', '10.0.0.2:5', '10.9.9.9:7', '[fd00::2]:6']);
    expect(one.endpoints[0]).toEqual({ address: '10.0.0.1:5', name: 'pods:5' });
  });

  it('tells of changes only, and keeps what it knows while the name service is out', async () => {
    const zone: Record<string, string[]> = { pods: ['10.0.0.1'] };
    const { lookup } = names(zone);
    const one = target('pods:5', lookup);
    let changes = 0;
    one.onChange(() => changes++);
    const again = async () => {
      const before = changes;
      await new Promise((resolve) => setTimeout(resolve, 25));
      one.refresh();
      await one.settled();
      return changes - before;
    };
    await one.settled();
    expect(changes).toBe(1);
    expect(await again()).toBe(0);
    zone.pods = ['10.0.0.1', '10.0.0.2'];
    expect(await again()).toBe(1);
    delete zone.pods;
    expect(await again()).toBe(0);
    expect(addresses(one)).toEqual(['10.0.0.1:5', '10.0.0.2:5']);
    expect(one.problem).toBe('the name pods has no address: getaddrinfo ENOTFOUND pods');
    zone.pods = ['10.0.0.2'];
    expect(await again()).toBe(1);
    expect([addresses(one), one.problem]).toEqual([['10.0.0.2:5'], undefined]);
  });

  it('asks for a name until it is known, but no more often than the least gap', async () => {
    const zone: Record<string, string[]> = {};
    const { lookup, asked } = names(zone);
    const one = target('late:1', lookup);
    for (let i = 0; i < 50; i++) one.refresh();
    await until(() => asked.length >= 3);
    zone.late = ['10.0.0.1'];
    await until(() => one.endpoints.length === 1);
    const { length } = asked;
    for (let i = 0; i < 50; i++) one.refresh();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(asked.length).toBeLessThanOrEqual(length + 1);
  });
});
