/**
 * The chart's NetworkPolicies where they are enforced: what the link needs works, and nobody else gets in or out. On the cluster
 * of local-cluster.sh with the firewall of addons.sh.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../integration/link.fixture.js';
import { clusterWith } from './addons.fixture.js';
import { IMAGE_TAG, Namespace } from './jobs.fixture.js';
import { link, Release } from './release.fixture.js';

const there = await clusterWith('configmap/semlink-firewall', 'NetworkPolicies are not tried');
const PORTS = {
  'transmitter-encoder': [50051, 9464],
  'channel-emulator': [50052, 9465],
  'receiver-decoder': [50053, 9466],
};
type Target = { host: string; port: number };

describe.runIf(there)('NetworkPolicies that are enforced', { timeout: 300_000 }, () => {
  const space = new Namespace('semlink-policies');
  const foreign = new Namespace('semlink-foreign');
  const monitoring = new Namespace('monitoring');
  const release = new Release(space);
  let dns: object[];
  beforeAll(async () => {
    await Promise.all([space.make(), foreign.make()]);
    // A process of the node resolves names here, not pods in kube-system.
    const cidr = await foreign.kubectl(
      '-n',
      'kube-system',
      'get',
      'configmap',
      'semlink-firewall',
      '-o',
      'jsonpath={.data.dns}',
    );
    dns = [{ ipBlock: { cidr } }];
    await release.apply({ ...link(true), networkPolicy: { dns } }, '--wait');
    await Promise.all([space, foreign, monitoring].map(addProbe));
    // The firewall takes a moment to see new pods: what is open must be open before what is closed means anything.
    await until(async () => (await reached(monitoring)).length === 3 && (await reached(space)).length === 1, 60_000);
  }, 400_000);
  afterAll(async () => {
    await monitoring.kubectl('delete', 'pod', 'probe', '--ignore-not-found', '--wait=false');
    await Promise.all([space.remove(), foreign.remove()]);
  }, 300_000);

  const targets = Object.entries(PORTS).flatMap(([service, ports]) => {
    const host = `semlink-${service}-pods.${space.name}.svc.cluster.local`;
    return ports.map((port) => ({ host, port }));
  });
  /** The ports of the link that the probe of a namespace can connect to. */
  const reached = (from: Namespace) => connects(from, 'pod/probe', targets);

  it('let the link carry images, and itself do nothing else', async () => {
    await release.test();
    const address = await foreign.kubectl('get', 'pod', 'probe', '-o', 'jsonpath={.status.podIP}');
    const [elsewhere, next] = [{ host: address, port: 8000 }, targets.find(({ port }) => port === 50053)!];
    // It listens: somebody whom no policy binds gets there.
    expect(await connects(space, 'pod/probe', [elsewhere])).toEqual([8000]);
    expect(await connects(space, 'deployment/semlink-channel-emulator', [next, elsewhere])).toEqual([50053]);
    expect(await connects(space, 'deployment/semlink-transmitter-encoder', [next, elsewhere])).toEqual([]);
    expect(await connects(space, 'deployment/semlink-receiver-decoder', [elsewhere])).toEqual([]);
  });

  it('let the namespace send images, monitoring read metrics, and nobody else do anything', async () => {
    expect(await reached(space)).toEqual([50051]);
    expect(await reached(monitoring)).toEqual([9464, 9465, 9466]);
    expect(await reached(foreign)).toEqual([]);
  });

  it('let those control channels whom the values name, and no more', async () => {
    const peer = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': foreign.name } } };
    await release.apply({ networkPolicy: { dns, control: [peer] } }, '--wait');
    await until(async () => (await reached(foreign)).length > 0, 60_000);
    expect(await reached(foreign)).toEqual([50052]);
  });
});

/** A pod from which connections are tried; it listens on port 8000. */
async function addProbe(space: Namespace): Promise<void> {
  const listen = 'require("node:net").createServer((one) => one.end()).listen(8000)';
  await space.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'probe' },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'probe', image: `semlink/tools:${IMAGE_TAG}`, command: ['node', '-e', listen] }],
    },
  });
  await space.kubectl('wait', '--for=condition=Ready', 'pod/probe', '--timeout=120s');
}

/** Those ports that can be connected to from a pod. */
async function connects(space: Namespace, from: string, targets: Target[]): Promise<number[]> {
  return JSON.parse(await space.kubectl('exec', from, '--', 'node', '-e', CONNECT, JSON.stringify(targets)));
}

/** Prints the ports that can be connected to; a packet that is dropped has two seconds to be answered. */
const CONNECT = `
  const attempt = ({ host, port }) => new Promise((resolve) => {
    const socket = require('node:net').connect({ host, port });
    const done = (open) => { socket.destroy(); resolve(open ? [port] : []); };
    socket.setTimeout(2000, () => done(false)).on('connect', () => done(true)).on('error', () => done(false));
  });
  Promise.all(JSON.parse(process.argv[1]).map(attempt)).then((all) => console.log(JSON.stringify(all.flat())));`;
