import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Readiness, startTelemetryServer, type TelemetryServer } from './http.js';

let server: TelemetryServer;
let readiness: Readiness;
beforeEach(async () => {
  readiness = { ready: true };
  server = await startTelemetryServer({
    listen: '127.0.0.1:0',
    registry: new Registry(),
    readiness: () => readiness,
  });
});
afterEach(() => server.close());

const get = async (path: string, init?: RequestInit) => {
  const response = await fetch(server.url + path, init);
  return { status: response.status, body: await response.text(), headers: response.headers };
};

describe('the telemetry server', () => {
  test('binds a free port and says which', () => {
    expect(server.port).toBeGreaterThan(0);
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
  });

  test('is alive while not ready, and says why it is not', async () => {
    readiness = { ready: false, reason: 'draining' };
    expect(await get('/healthz')).toMatchObject({ status: 200, body: 'alive\n' });
    expect(await get('/readyz')).toMatchObject({ status: 503, body: 'not ready: draining\n' });
    readiness = { ready: true };
    expect(await get('/readyz')).toMatchObject({ status: 200, body: 'ready\n' });
  });

  test('knows its paths and methods', async () => {
    expect((await get('/metrics?x=1')).headers.get('content-type')).toContain('text/plain; version=0.0.4');
    expect((await get('/metrics')).headers.get('server-timing')).toMatch(/^render;dur=\d+\.\d\d$/);
    expect(await get('/')).toMatchObject({ status: 404 });
    const post = await get('/metrics', { method: 'POST', body: 'x' });
    expect(post).toMatchObject({ status: 405 });
    expect(post.headers.get('allow')).toBe('GET, HEAD');
    expect(await get('/metrics', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
  });

  test('answers 500 when a readiness check throws, and lives on', async () => {
    const broken = await startTelemetryServer({
      listen: '127.0.0.1:0',
      registry: new Registry(),
      readiness: () => {
        throw new Error('made up');
      },
    });
    expect((await fetch(`${broken.url}/readyz`)).status).toBe(500);
    expect((await fetch(`${broken.url}/healthz`)).status).toBe(200);
    await broken.close();
  });

  test('says in a sentence that a port is taken or an address is not ours', async () => {
    const start = (listen: string) =>
      startTelemetryServer({ listen, registry: new Registry(), readiness: () => readiness });
    await expect(start(`127.0.0.1:${server.port}`)).rejects.toThrow(
      `Cannot serve metrics on 127.0.0.1:${server.port}: the port is in use; stop the process that has it, or choose another port`,
    );
    await expect(start('192.0.2.1:0')).rejects.toThrow('this machine does not have that address');
    await expect(start('nowhere')).rejects.toThrow('is no address');
  });

  test('closes at once although a client keeps its connection, and twice is once', async () => {
    await get('/healthz');
    await server.close();
    await server.close();
    await expect(get('/healthz')).rejects.toThrow();
  });
});
