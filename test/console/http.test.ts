import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceProcess } from '../../deploy/local/processes.js';
import { METRICS, type MetricDefinition } from '../../shared/telemetry/index.js';
import { until } from '../integration/link.fixture.js';
import { scrape } from '../telemetry/exposition-parse.js';
import { type ConsoleLink, startConsole, startConsoleLink } from './console.fixture.js';

/** What of an update is looked at here. */
interface FeedUpdate {
  state: { services: { role: string; state: string }[] };
}

/** A page's stream of events, as it comes in. */
async function openEvents(address: string, headers: Record<string, string> = {}) {
  const request = get(`http://${address}/api/events`, { headers, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const events: FeedUpdate[] = [];
  let text = '';
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    const parts = text.split('\n\n');
    text = parts.pop()!;
    for (const part of parts) {
      const data = /^data: (.*)$/m.exec(part)?.[1];
      if (data) events.push(JSON.parse(data));
    }
  });
  response.on('error', () => {});
  const ended = new Promise<void>((resolve) => response.once('close', resolve));
  return { response, events, ended, close: () => request.destroy() };
}

describe('a console whose link is down', () => {
  let web: ServiceProcess<'console'>;
  beforeAll(async () => {
    web = await startConsole({ '--max-pages': '2' });
  });
  afterAll(async () => {
    expect(await web?.stop()).toBe(0);
  });

  const ask = (path: string, init: RequestInit = {}) => fetch(`http://${web.address}${path}`, init);
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    ask(path, {
      method: 'POST',
      headers: { origin: `http://${web.address}`, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });

  it('serves the page, its parts and the plotting library, each with a policy against foreign code', async () => {
    const page = await (await ask('/')).text();
    const parts = [...page.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, path]) => `/${path}`);
    expect(parts).toContain('/vendor/uPlot.css');
    for (const path of ['/', ...parts, '/vendor/uPlot.js', '/charts.js']) {
      const response = await ask(path);
      expect(response.status, path).toBe(200);
      expect(response.headers.get('content-security-policy')).toContain("default-src 'self'");
      const again = await ask(path, { headers: { 'if-none-match': response.headers.get('etag')! } });
      expect(again.status).toBe(304);
    }
    expect(page).not.toMatch(/https?:\/\//);
  });

  it.each([
    ['/nothing', { status: 404 }],
    ['/../package.json', { status: 404 }],
    ['/%2e%2e/config.ts', { status: 404 }],
    ['/api/channel', { status: 405 }],
  ])('answers GET %s with one sentence', async (path, expected) => {
    const response = await ask(path);
    expect(response).toMatchObject(expected);
    expect(((await response.json()) as { error: string }).error).toMatch(/^[A-Z][^\n]+\.$/);
  });

  it('refuses changes that do not come from its own page', async () => {
    expect((await post('/api/traffic', { paused: false }, { origin: 'http://evil.example' })).status).toBe(403);
    expect((await post('/api/traffic', { paused: false }, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await post('/api/traffic', { paused: false }, { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post('/api/traffic', 'x'.repeat(5000))).status).toBe(413);
    expect((await post('/api/traffic', '{')).status).toBe(400);
    expect((await ask('/api/traffic', { method: 'DELETE' })).status).toBe(405);
    expect((await post('/api/traffic', { paused: false })).status).toBe(200);
  });

  it('refuses foreign names for itself', async () => {
    const socket = connect(Number(web.address.split(':')[1]), '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 421 .*evil\.example/s);
  });

  it.each([
    ['/api/channel', { snrDb: 100 }, /snrDb/],
    ['/api/channel', { model: 'replay' }, /model/],
    ['/api/channel', { other: 1 }, /other/],
    ['/api/policy', { kind: 'fixed', channelUses: 0 }, /channelUses/],
    ['/api/policy', { kind: 'none' }, /kind/],
    ['/api/traffic', { rate: 1e9 }, /rate/],
    ['/api/traffic', [], /./],
  ])('refuses %s %j with what is wrong', async (path, body, sentence) => {
    const response = await post(path, body);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: string }).error).toMatch(sentence);
  });

  it('says which service is not reachable', async () => {
    const response = await post('/api/channel', { snrDb: 3 });
    expect(response.status).toBe(503);
    expect(((await response.json()) as { error: string }).error).toContain('127.0.0.1:1 is not reachable');
  });

  it('tells that all is down, and lets in no more pages than it may', async () => {
    const pages = [await openEvents(web.address), await openEvents(web.address)];
    await until(() => pages[0]!.events.length > 10);
    const { services } = pages[0]!.events.at(-1)!.state;
    expect(services.map(({ state }) => state)).toEqual(['down', 'down', 'down']);
    const third = await openEvents(web.address);
    expect(third.response.statusCode).toBe(503);
    for (const page of [...pages, third]) page.close();
    await until(async () => (await scrape(`http://${web.metricsAddress}`)).value('semlink_console_pages') === 0);
  });

  it('serves the metrics that are named for it, and no other of ours', async () => {
    const { types } = await scrape(`http://${web.metricsAddress}`);
    const named = Object.values(METRICS).filter((metric: MetricDefinition) => metric.services.includes('console'));
    const ours = [...types.keys()].filter((name) => name.startsWith('semlink_'));
    expect(ours.sort()).toEqual(named.map(({ name }) => name).sort());
    expect((await fetch(`http://${web.metricsAddress}/readyz`)).status).toBe(200);
  });
});

describe('a console with a link', { timeout: 60_000 }, () => {
  let system: ConsoleLink;
  beforeAll(async () => {
    system = await startConsoleLink();
  });
  afterAll(async () => {
    if (system) expect(await system.stop()).toBe(true);
  });
  const frames = async () =>
    (await system.link.scrape('receiver-decoder')).samples
      .filter(({ name }) => name === 'semlink_frames_total')
      .reduce((sum, { value }) => sum + value, 0);
  const watchers = async () => {
    const page = await system.link.scrape('channel-emulator');
    return [page.value('semlink_symbol_watchers'), page.value('semlink_channel_watchers')];
  };

  it('does nothing while no page is open', async () => {
    expect(await frames()).toBe(0);
    expect(await watchers()).toEqual([0, 0]);
    const page = await openEvents(system.console.address);
    await until(async () => (await frames()) > 10);
    expect(await watchers()).toEqual([1, 1]);
    page.close();
    await until(async () => (await watchers())[0] === 0);
    const count = await frames();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await frames()).toBe(count);
  });

  it('gives a page that does not read fewer updates, not memory', async () => {
    const socket = connect(Number(system.console.address.split(':')[1]), '127.0.0.1');
    socket.write('GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    socket.pause();
    const page = await openEvents(system.console.address);
    await until(() => page.events.length > 30);
    const waiting = (await scrape(`http://${system.console.metricsAddress}`)).value('semlink_queue_bytes', {
      queue: 'pages',
    })!;
    expect(waiting).toBeLessThan(1024 * 1024);
    socket.destroy();
    page.close();
  });

  it('ends what it sent and its pages on SIGTERM', async () => {
    const { transmitter, emulator } = {
      transmitter: system.link.processes['transmitter-encoder'],
      emulator: system.link.processes['channel-emulator'],
    };
    const other = await startConsole({
      '--transmitter': transmitter.address,
      '--emulator': emulator.address,
      '--link-id': 'other-console',
    });
    const page = await openEvents(other.address);
    await until(() => page.events.length > 10);
    const begun = performance.now();
    expect(await other.stop()).toBe(0);
    expect(performance.now() - begun).toBeLessThan(5_000);
    await page.ended;
  });
});
