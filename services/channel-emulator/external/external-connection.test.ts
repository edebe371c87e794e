import { afterEach, describe, expect, it } from 'vitest';
import { type ExternalSettings, externalForms } from '../../../shared/channel/external.js';
import { freeExternal, type Peer, startPeer } from '../../../test/interop/peer.fixture.js';
import { ExternalConnection } from './external-connection.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** k symbols that no other frame has. */
function frame(number: number, k: number): Float32Array {
  return Float32Array.from({ length: 2 * k }, (_, i) => Math.sin(1 + number * 977 + i * 3.7));
}

/** What the peer makes of them: y = (0.6 + 0.8j) s. */
function rotated(symbols: Float32Array): number[] {
  const out: number[] = [];
  for (let i = 0; i < symbols.length; i += 2) {
    const [re, im] = [symbols[i]!, symbols[i + 1]!];
    out.push(Math.fround(0.6 * re - 0.8 * im), Math.fround(0.6 * im + 0.8 * re));
  }
  return out;
}

function connect(settings: ExternalSettings, maxQueueBytes?: number) {
  const states: string[] = [];
  const connection = new ExternalConnection({
    settings,
    onState: (sentence) => states.push(sentence),
    ...(maxQueueBytes !== undefined && { maxQueueBytes }),
  });
  cleanups.push(() => connection.close());
  let number = 0;
  return {
    connection,
    states,
    /** Sends a frame of k symbols; what came back is right to the last symbol, or the error says why there is none. */
    ask: async (k = 16): Promise<string> => {
      const symbols = frame(number++, k);
      const out = new Float32Array(2 * k);
      try {
        await connection.send(symbols, out);
      } catch (error) {
        return (error as Error).message;
      }
      expect([...out]).toEqual(rotated(symbols));
      return 'good';
    },
  };
}

async function withPeer(settings: ExternalSettings) {
  const peer = await startPeer(settings);
  cleanups.push(() => peer.kill());
  return { peer, ...connect(settings) };
}

async function restart(peer: Peer, settings: ExternalSettings): Promise<Peer> {
  await peer.kill();
  const next = await startPeer(settings);
  cleanups.push(() => next.kill());
  return next;
}

describe.each(externalForms)('an external process, %s', (form) => {
  it('gets every symbol in order and what it gives back belongs to the right frame', async () => {
    const { ask } = await withPeer(await freeExternal(form, { timeoutMs: 5_000 }));
    // Many at once, of all sizes: they travel in bursts.
    const sizes = Array.from({ length: 500 }, (_, i) => 1 + ((i * 37) % 128));
    const answers = await Promise.all(sizes.map((k) => ask(k)));
    expect(new Set(answers)).toEqual(new Set(['good']));
    expect(await ask(65_536)).toBe('good');
    for (let i = 0; i < 20; i++) expect(await ask(1)).toBe('good');
  });

  it('that is not there is named at once after the first time, and used as soon as it comes', async () => {
    const settings = await freeExternal(form);
    const { ask, states } = connect(settings);
    const away = `the external process (${form}, symbols out on ${settings.send}, back from ${settings.receive}) is not connected; start it and check both addresses`;
    expect(await ask()).toBe(away);
    const start = performance.now();
    for (let i = 0; i < 100; i++) expect(await ask()).toBe(away);
    expect(performance.now() - start).toBeLessThan(settings.timeoutMs);
    const peer = await startPeer(settings);
    cleanups.push(() => peer.kill());
    while (!states.some((state) => state.endsWith('is connected'))) await new Promise((go) => setTimeout(go, 5));
    expect(await ask()).toBe('good');
  });

  it('that dies fails the frames it had, and its successor gets none of its symbols', async () => {
    const settings = await freeExternal(form);
    const { peer, ask } = await withPeer(settings);
    expect(await ask()).toBe('good');
    await peer.tell('stall');
    const lost = [ask(), ask()];
    await new Promise((go) => setTimeout(go, 50));
    const next = await restart(peer, settings);
    for (const answer of await Promise.all(lost)) expect(answer).toMatch(/went away when it had given back 0 of the/);
    expect(await ask()).toBe('good');
    expect(await ask()).toBe('good');
    await next.kill();
  });

  it('that answers short fails the frames concerned, and is used again when it answers whole', async () => {
    const { peer, ask, states } = await withPeer(await freeExternal(form));
    expect(await ask()).toBe('good');
    await peer.tell('lose 4');
    expect(await ask()).toMatch(
      /answered short: it gave back 12 of the 16 symbols of the burst and nothing more for 600 ms; it must give back/,
    );
    expect(await ask()).toBe('good');
    expect(states.at(-1)).toMatch(/is in step and lags by 0 symbols/);
    expect(await ask(100)).toBe('good');
  });

  it('that is late loses the frames it was late for, and nothing is taken for another frame', async () => {
    const { peer, ask } = await withPeer(await freeExternal(form));
    expect(await ask()).toBe('good');
    await peer.tell('wait 900');
    expect(await ask()).toMatch(/gave nothing back within 600 ms/);
    await peer.tell('normal');
    expect(await ask()).toBe('good');
  });
});

describe('an external process', () => {
  it.each([3, 700])('that keeps %i symbols back, or lags by as many, is found out and followed', async (lag) => {
    const { peer, ask, states } = await withPeer(await freeExternal('push-pull'));
    await peer.tell(`hold ${lag}`);
    for (let i = 0; i < 10; i++) expect(await ask(7)).toBe('good');
    expect(states.at(-1)).toMatch(new RegExp(`is in step and lags by ${lag} symbols, as known symbols show$`));
    // From here on it gives back at once what it kept, which is noticed before the next burst.
    await peer.tell('normal');
    await new Promise((go) => setTimeout(go, 50));
    expect(await ask(16)).toBe('good');
    expect(states.at(-1)).toMatch(/lags by 0 symbols, as known symbols show$/);
    // A lag that comes up while it is used fails one burst.
    await peer.tell(`hold ${lag}`);
    expect(await ask(16)).toMatch(/answered short|gave nothing back/);
    expect(await ask(16)).toBe('good');
  });

  it('whose lag known symbols cannot show is taken to lag as declared', async () => {
    const { peer, ask, states } = await withPeer(await freeExternal('push-pull', { delaySymbols: 5 }));
    await peer.tell('hold 5');
    await peer.tell('gain 0 0');
    await ask(16).catch(() => {});
    expect(states.at(-1)).toMatch(/lags by 5 symbols, as declared: noise or fading hides known symbols$/);
    await peer.tell('gain 0.6 0.8');
    for (let i = 0; i < 10; i++) expect(await ask(7)).toBe('good');
  });

  it('that works in blocks gets whole blocks', async () => {
    const { peer, ask } = await withPeer(await freeExternal('push-pull', { multipleSymbols: 64 }));
    await peer.tell('block 64');
    for (const k of [1, 63, 64, 65]) expect(await ask(k)).toBe('good');
  });

  it('that sends what it was not given, NaN, or half a symbol is told so', async () => {
    const { peer, ask } = await withPeer(await freeExternal('push-pull'));
    expect(await ask()).toBe('good');
    await peer.tell('nan');
    expect(await ask()).toMatch(/gave back NaN as I of symbol 0; every component must be a finite number/);
    await peer.tell('extra 3');
    await new Promise((go) => setTimeout(go, 50));
    expect(await ask()).toBe('good');
    await peer.tell('stall');
    const asked = ask();
    await peer.tell('ragged');
    expect(await asked).toMatch(/a message that is no whole number of symbols; it must send cf32, 8 bytes a symbol/);
  });

  it('that is slow has a bounded queue', async () => {
    const settings = await freeExternal('push-pull');
    const { connection, ask } = connect(settings, 1_000);
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(16)));
    expect(answers.filter((answer) => answer.includes('is slower than frames come (limit 1000)'))).toHaveLength(13);
    expect(connection.queuedBytes).toBe(0);
  });

  it('is told apart from an address in use', async () => {
    const settings = await freeExternal('push-pull');
    const { ask } = connect(settings);
    await ask();
    const second = connect(settings);
    expect(await second.ask()).toMatch(/cannot bind tcp:.*: .*; free the address/);
    expect(await ask()).toMatch(/is not connected/);
  });
});
