import { afterEach, describe, expect, it } from 'vitest';
import type { ExternalSettings } from '../../../shared/channel/external.js';
import { freeExternal, startPeer } from '../../../test/interop/peer.fixture.js';
import { ExternalChannels } from './external-channels.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function channels() {
  const states: string[] = [];
  const all = new ExternalChannels((sentence) => states.push(sentence));
  cleanups.push(() => all.close());
  return { all, states };
}

const symbols = () => Float32Array.of(1, 0, 0, 1);

describe('the outside processes', () => {
  it('are shared by links with the same addresses, and outlive them', async () => {
    const external = await freeExternal('srsran');
    const peer = await startPeer(external);
    cleanups.push(() => peer.kill());
    const { all, states } = channels();
    const open = (change: Partial<ExternalSettings> = {}) =>
      all.channel({ model: 'external', snrDb: 10, external: { ...external, ...change } });
    const first = open();
    const second = open({ pilotSymbols: 4 });
    const out = symbols();
    await expect(first.applyLater(out, out)).resolves.toEqual({
      gains: [1, 0],
      blockSymbols: 2,
      noisePower: Math.fround(0.1),
    });
    expect([...out]).toEqual([0.6, 0.8, -0.8, 0.6].map(Math.fround));
    const { gains } = await second.applyLater(symbols(), symbols());
    expect(gains[0]).toBeCloseTo(0.6, 6);
    expect(gains[1]).toBeCloseTo(0.8, 6);
    first.close();
    first.close();
    second.close();
    await open().applyLater(symbols(), symbols());
    expect(states.filter((state) => state.endsWith('is connected'))).toHaveLength(1);
    expect(all.queuedBytes).toBe(0);
  });

  it('that nobody uses give way to others that need their address', async () => {
    const external = await freeExternal('push-pull');
    const { all } = channels();
    all.channel({ model: 'external', snrDb: 10, external: { ...external, receive: 'tcp://127.0.0.1:1' } }).close();
    const peer = await startPeer(external);
    cleanups.push(() => peer.kill());
    await all.channel({ model: 'external', snrDb: 10, external }).applyLater(symbols(), symbols());
  });

  it('are refused when their settings cannot be', () => {
    const { all } = channels();
    const external = { send: 'x', receive: 'y' } as ExternalSettings;
    expect(() => all.channel({ model: 'external', snrDb: 10, external })).toThrow(
      /external.form is undefined; use push-pull/,
    );
  });
});
