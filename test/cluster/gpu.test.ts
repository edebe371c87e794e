/**
 * The chart's GPU values on a node that has no GPU: it is told of one, as Kubernetes has it for extended resources, and its
 * runtime class `nvidia` is plain runc. What scheduler, kubelet and containerd make of the values is seen here, and what an update does
 * when the only GPU is taken; that a GPU computes is not. On the cluster of local-cluster.sh.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../integration/link.fixture.js';
import { Namespace, nodeIsHere } from './jobs.fixture.js';
import { link, RESOURCES, Release } from './release.fixture.js';

const { SEMLINK_TEST_KUBECONFIG: kubeconfig } = process.env;
const here = kubeconfig !== undefined && (await nodeIsHere(kubeconfig));
process.stderr.write(
  here
    ? '\n*** NO GPU: the values for GPUs are tried with a resource of that name and images for CPUs ***\n\n'
    : '\n*** NO CLUSTER OF THIS MACHINE: the values for GPUs are not tried ***\n\n',
);
const NODE = 'semlink-node';
const TRANSMITTER = 'deployment/semlink-transmitter-encoder';

describe.runIf(here)('values for GPUs', { timeout: 400_000 }, () => {
  const space = new Namespace('semlink-gpu');
  const release = new Release(space);
  beforeAll(async () => {
    process.env.KUBECONFIG = kubeconfig;
    await space.make();
    const runtimeClass = { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: 'nvidia' } };
    await space.apply({ ...runtimeClass, handler: 'nvidia' });
    await patchNode({ op: 'add', path: RESOURCE_PATH, value: '1' });
    await release.apply({ ...link(true), ...transmitter({}) }, '--wait');
  }, 300_000);
  afterAll(async () => {
    await space.remove();
    await patchNode({ op: 'remove', path: RESOURCE_PATH });
    await space.kubectl('delete', 'runtimeclass', 'nvidia');
  }, 150_000);

  /** The only GPU for a transmitter. */
  const transmitter = (values: object, gpu: object = {}) => ({
    transmitterEncoder: {
      ...{ replicas: 1, resources: RESOURCES, gpu: { count: 1, imageTagSuffix: '', ...gpu } },
      ...values,
    },
  });
  const names = async () => (await space.pods('transmitter-encoder')).map(({ metadata }) => metadata.name).sort();
  /** Why pods cannot be placed. */
  const waiting = () =>
    space.kubectl(
      ...['get', 'pods', '-l', 'app.kubernetes.io/component=transmitter-encoder', '-o'],
      'jsonpath={.items[*].status.conditions[?(@.reason=="Unschedulable")].message}',
    );

  it('bind a pod to a GPU by the runtime class; images are answered; a pod more waits for a GPU', async () => {
    const spec = JSON.parse(await space.kubectl('get', TRANSMITTER, '-o', 'json')).spec.template.spec;
    expect(spec.runtimeClassName).toBe('nvidia');
    expect(await space.kubectl('describe', 'node', NODE)).toMatch(/nvidia\.com\/gpu +1 +1\n/);
    await release.test();
    await release.apply(transmitter({ replicas: 2 }));
    await until(async () => (await waiting()).includes('Insufficient nvidia.com/gpu'), 60_000);
    await release.test();
    await release.apply(transmitter({}));
    await until(async () => (await names()).length === 1, 60_000);
  });

  it('let an update through where no GPU is spare, and no image is lost', async () => {
    const [before] = await names();
    await release.send('steady', 2, 200, ['--rate=20', '--timeout-ms=120000']);
    await until(async () => (await release.sent('steady')).parts >= 2, 120_000);
    await release.apply(transmitter({ podAnnotations: { update: '1' } }));
    await space.kubectl('rollout', 'status', TRANSMITTER, '--timeout=180s');
    expect(await names()).not.toContain(before);
    const { parts } = await release.sent('steady');
    await until(async () => (await release.sent('steady')).parts >= parts + 4, 120_000);
    const steady = await release.sent('steady');
    expect(steady.sent).toBe(200 * steady.parts);
    expect(steady.received).toBe(steady.sent);
  });

  it('that say a GPU is spare when it is not leave the update waiting, and the link as it was', async () => {
    const [before] = await names();
    await release.apply(transmitter({ podAnnotations: { update: '2' } }, { spare: true }));
    await until(async () => (await waiting()).includes('Insufficient nvidia.com/gpu'), 60_000);
    expect(await names()).toContain(before);
    await release.test();
    await release.apply(transmitter({ podAnnotations: { update: '1' } }));
    await until(async () => (await names()).length === 1, 60_000);
    expect(await names()).toEqual([before]);
  });

  const RESOURCE_PATH = '/status/capacity/nvidia.com~1gpu';
  /** As the documentation of Kubernetes advertises an extended resource of a node. */
  const patchNode = (patch: object) =>
    space.kubectl('patch', 'node', NODE, '--subresource=status', '--type=json', '-p', JSON.stringify([patch]));
});
