/** The link encrypted, each service with a certificate and asking its callers for theirs. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ServiceProcess, startServiceProcess } from '../../deploy/local/processes.js';
import { SemanticLink } from '../../shared/client/link.js';
import type { TlsConfig } from '../../shared/rpc/tls.js';
import { Authority, type Identity } from './certificates.fixture.js';
import { classificationOf, errorOf, killAll, sendAll, type TestImage, testImages, until } from './link.fixture.js';

let folder: string;
let authority: Authority;
let stranger: Authority;
let own: Identity;
let images: TestImage[];
const processes: ServiceProcess[] = [];
let transmitter: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-tls-'));
  await mkdir(path.join(folder, 'stranger'));
  authority = await Authority.make(folder, 'semlink test');
  stranger = await Authority.make(path.join(folder, 'stranger'), 'somebody else');
  own = await authority.issue('service', 'localhost');
  const start = async (role: ServiceProcess['role'], ...flags: string[]) => {
    const secure = ['--tls-cert', own.cert, '--tls-key', own.key, '--tls-ca', authority.ca, '--tls-client-auth'];
    const where = ['--listen', 'localhost:0', '--metrics-listen', 'off'];
    const service = await startServiceProcess(role, [...where, ...secure, ...flags], { onLog: () => {} });
    processes.push(service);
    return service.address;
  };
  const receiver = await start('receiver-decoder');
  const emulator = await start('channel-emulator', '--receiver', receiver);
  transmitter = await start('transmitter-encoder', '--channel', emulator);
  images = await testImages(200);
});
afterAll(async () => {
  killAll(processes);
  await rm(folder, { recursive: true });
});

async function send(tls: Partial<TlsConfig> | undefined, count = images.length) {
  const link = new SemanticLink({ address: transmitter, linkId: 'secret', tls, reconnectWaitMs: 1_000 });
  try {
    return await sendAll(link, images.slice(0, count));
  } finally {
    await link.close();
  }
}

it('carries images over three encrypted hops', { timeout: 60_000 }, async () => {
  for (const { result } of await send({ ca: authority.ca, ...own })) classificationOf(result);
});

it.each([
  ['in plain text', () => undefined],
  ['without a certificate', () => ({ ca: authority.ca })],
  [
    'with the certificate of another authority',
    async () => ({ ca: authority.ca, ...(await stranger.issue('x', 'localhost')) }),
  ],
  ['that trusts another authority', () => ({ ca: stranger.ca, ...own })],
])('answers no client %s', { timeout: 60_000 }, async (_, tls) => {
  for (const { result } of await send(await tls(), 3)) expect(errorOf(result)?.code).toBe(14);
});

it('a service is not what its certificate does not name', { timeout: 60_000 }, async () => {
  const other = await authority.issue('other', 'other.example');
  const flags = [
    '--listen',
    'localhost:0',
    '--metrics-listen',
    'off',
    '--tls-cert',
    other.cert,
    '--tls-key',
    other.key,
  ];
  const service = await startServiceProcess('receiver-decoder', flags, { onLog: () => {} });
  processes.push(service);
  const [host, port] = service.address.split(':');
  const socket = connect({ host: host!, port: Number(port), ca: await readFile(authority.ca), ALPNProtocols: ['h2'] });
  const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
  expect(error.message).toContain('other.example');
});

it('takes a renewed certificate without a restart', { timeout: 90_000 }, async () => {
  const serial = async () => {
    const [host, port] = transmitter.split(':');
    const files = { ca: await readFile(authority.ca), cert: await readFile(own.cert), key: await readFile(own.key) };
    const socket = connect({ host: host!, port: Number(port), ...files, ALPNProtocols: ['h2'] });
    try {
      await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
      return socket.getPeerCertificate().serialNumber;
    } finally {
      socket.destroy();
    }
  };
  const before = await serial();
  await authority.issue('service', 'localhost');
  await until(async () => (await serial()) !== before, 40_000);
  for (const { result } of await send({ ca: authority.ca, ...own })) classificationOf(result);
});

it.each([
  [['--tls-cert', '/does/not/exist', '--tls-key', '/does/not/exist'], 'there is no such file'],
  [['--tls-client-auth'], 'callers are checked by --tls-ca'],
])('a service does not start with %j', { timeout: 60_000 }, async (flags, why) => {
  const where = ['--listen', 'localhost:0', '--metrics-listen', 'off'];
  await expect(startServiceProcess('channel-emulator', [...where, ...flags], { onLog: () => {} })).rejects.toThrow(why);
});
