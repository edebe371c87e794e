/**
 * The chart's HorizontalPodAutoscaler by queue depth: a real Prometheus scrapes the pods, prometheus-adapter serves what it
 * knows to the cluster, and pods come and go with the load. On a cluster that has both (addons.sh).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../integration/link.fixture.js';
import { scrape } from '../telemetry/exposition-parse.js';
import { clusterWith } from './addons.fixture.js';
import { Namespace } from './jobs.fixture.js';
import { link, RESOURCES, Release } from './release.fixture.js';

const there = await clusterWith('apiservice/v1beta1.custom.metrics.k8s.io', 'autoscaling by queue is not tried');

describe.runIf(there)('autoscaling by queue depth', { timeout: 600_000 }, () => {
  const space = new Namespace('semlink-scaling');
  const release = new Release(space);
  beforeAll(() => space.make(), 150_000);
  afterAll(() => space.remove(), 150_000);

  const ready = async () => Number(await transmitter('{.status.readyReplicas}'));
  const transmitter = (path: string) =>
    space.kubectl('get', 'deployment', 'semlink-transmitter-encoder', '-o', `jsonpath=${path}`);
  /** What the autoscaler is told of each pod. */
  const told = () =>
    space.kubectl(
      'get',
      '--raw',
      `/apis/custom.metrics.k8s.io/v1beta1/namespaces/${space.name}/pods/*/semlink_queue_bytes`,
    );

  it('adds a pod under load, which takes links, and takes it away again; no image is lost', async () => {
    const autoscaling = { enabled: true, minReplicas: 1, maxReplicas: 2, cpuPercent: 0, queueBytes: 60_000 };
    const values = {
      ...link(true),
      transmitterEncoder: { resources: RESOURCES, autoscaling: { ...autoscaling, scaleDownSeconds: 10 } },
      // Links look for new pods sooner than in service.
      maxConnectionAgeMs: 10_000,
    };
    await release.apply(values, '--wait');
    await until(async () => (await told().catch(() => '')).includes('"value":"0"'), 90_000);
    expect(await ready()).toBe(1);

    await release.send('steady', 2, 200, ['--rate=20', '--timeout-ms=120000']);
    await release.send('flood', 4, 1000, ['--in-flight=64', '--timeout-ms=120000']);
    await until(async () => (await ready()) === 2, 180_000);
    const scaler = JSON.parse(await space.kubectl('get', 'hpa', 'semlink-transmitter-encoder', '-o', 'json'));
    expect(scaler.status.currentMetrics[0].pods.metric.name).toBe('semlink_queue_bytes');
    expect(scaler.status.conditions).toContainEqual(expect.objectContaining({ type: 'ScalingActive', status: 'True' }));
    await until(async () => {
      const pods = await space.pods('transmitter-encoder');
      const answered = pods.map(async ({ status }) => {
        const { samples } = await scrape(`http://${status.podIP}:9464`);
        return samples.some(
          ({ name, labels, value }) => name === 'semlink_frames_total' && labels.outcome === 'result' && value > 500,
        );
      });
      return pods.length === 2 && (await Promise.all(answered)).every(Boolean);
    }, 120_000);

    await until(async () => (await release.sent('flood')).parts > 0, 120_000);
    const flood = await release.sent('flood');
    expect(flood.received).toBe(flood.sent);
    // What is cut off here has not been counted.
    await space.kubectl('delete', 'pod', '-l', 'load=flood');
    await until(async () => (await space.pods('transmitter-encoder')).length === 1 && (await ready()) === 1, 180_000);
    // Those who were sending while the pod went.
    const { parts } = await release.sent('steady');
    await until(async () => (await release.sent('steady')).parts >= parts + 4, 120_000);
    const steady = await release.sent('steady');
    expect(steady.sent).toBe(200 * steady.parts);
    expect(steady.received).toBe(steady.sent);
  });
});
