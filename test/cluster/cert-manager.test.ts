/**
 * The chart's certificate by cert-manager, of an authority in the cluster: the link runs over TLS with it on every hop, and takes
 * a renewed one without a restart and without losing an image. On a cluster that has cert-manager (addons.sh).
 */
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../integration/link.fixture.js';
import { clusterWith } from './addons.fixture.js';
import { Namespace } from './jobs.fixture.js';
import { link, Release } from './release.fixture.js';

const there = await clusterWith('crd/certificates.cert-manager.io', 'certificates by cert-manager are not tried');
const PORTS = { 'transmitter-encoder': 50051, 'channel-emulator': 50052, 'receiver-decoder': 50053 };
const FOLDER = '/etc/semlink/tls';

describe.runIf(there)('certificates by cert-manager', { timeout: 400_000 }, () => {
  const space = new Namespace('semlink-certificates');
  const release = new Release(space);
  beforeAll(async () => {
    await space.make();
    await space.apply(...authority('authority'));
    const issuerRef = { name: 'authority', kind: 'Issuer' };
    await release.apply({ ...link(true), tls: { enabled: true, certManager: { enabled: true, issuerRef } } }, '--wait');
  }, 300_000);
  afterAll(() => space.remove(), 150_000);

  /** By service what its pod shows. */
  async function shown(): Promise<Record<string, { pod: string; serial: string; names: string }>> {
    const found: Awaited<ReturnType<typeof shown>> = {};
    for (const [service, port] of Object.entries(PORTS)) {
      const [pod] = await space.pods(service);
      const certificate = await certificateOf(pod!.status.podIP!, port);
      found[service] = {
        pod: pod!.metadata.uid,
        serial: certificate.serialNumber,
        names: certificate.subjectAltName ?? '',
      };
    }
    return found;
  }

  it('is issued for the names of the services, and images go over TLS on every hop', async () => {
    const secret = JSON.parse(await space.kubectl('get', 'secret', 'semlink-tls', '-o', 'json'));
    expect(Object.keys(secret.data).sort()).toEqual(['ca.crt', 'tls.crt', 'tls.key']);
    for (const [service, { names }] of Object.entries(await shown()))
      expect(names).toContain(`DNS:semlink-${service}-pods.${space.name}.svc.cluster.local`);
    await release.test();
  });

  it('lets nobody in who has none', async () => {
    await release.send(
      'stranger',
      1,
      1,
      ['--timeout-ms=5000', '--reconnect-wait-ms=1000', `--tls-ca=${FOLDER}/ca.crt`],
      'semlink-tls',
    );
    await until(async () => (await space.kubectl('logs', 'stranger-0')).includes('A PART FAILED'), 90_000);
    await space.kubectl('delete', 'pod', 'stranger-0');
  });

  it('is taken anew when it is renewed, without a restart and without a lost image', async () => {
    const before = await shown();
    const files = [`--tls-ca=${FOLDER}/ca.crt`, `--tls-cert=${FOLDER}/tls.crt`, `--tls-key=${FOLDER}/tls.key`];
    await release.send('steady', 2, 200, ['--rate=20', ...files], 'semlink-tls');
    await until(async () => (await release.sent('steady')).parts >= 1, 120_000);
    await renew();
    let now = await shown();
    await until(async () => {
      now = await shown();
      return Object.entries(before).every(([service, { serial }]) => now[service]!.serial !== serial);
    }, 150_000);
    const pods = (all: typeof now) => Object.values(all).map(({ pod }) => pod);
    expect(pods(now)).toEqual(pods(before));
    const { parts } = await release.sent('steady');
    await until(async () => (await release.sent('steady')).parts >= parts + 4, 120_000);
    const steady = await release.sent('steady');
    expect(steady.sent).toBe(200 * steady.parts);
    expect(steady.received).toBe(steady.sent);
  });

  /** As `cmctl renew` does. */
  async function renew(): Promise<void> {
    const issuing = { type: 'Issuing', status: 'True', reason: 'ManuallyTriggered', message: 'renewed by a test' };
    const value = { ...issuing, lastTransitionTime: `${new Date().toISOString().slice(0, 19)}Z` };
    const patch = JSON.stringify([{ op: 'add', path: '/status/conditions/-', value }]);
    await space.kubectl('patch', 'certificate', 'semlink', '--subresource=status', '--type=json', '-p', patch);
  }
});

/** An issuer whose certificate is signed by itself. */
function authority(name: string): object[] {
  const api = { apiVersion: 'cert-manager.io/v1' };
  const spec = {
    ...{ isCA: true, commonName: 'semlink test authority', secretName: name },
    ...{ privateKey: { algorithm: 'ECDSA', size: 256 }, issuerRef: { name: 'self-signed', kind: 'Issuer' } },
  };
  return [
    { ...api, kind: 'Issuer', metadata: { name: 'self-signed' }, spec: { selfSigned: {} } },
    { ...api, kind: 'Certificate', metadata: { name }, spec },
    { ...api, kind: 'Issuer', metadata: { name }, spec: { ca: { secretName: name } } },
  ];
}

/** What a server shows; whether it is to be trusted its clients check. */
function certificateOf(host: string, port: number): Promise<import('node:crypto').X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] }, () => {
      resolve(socket.getPeerX509Certificate()!);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}
