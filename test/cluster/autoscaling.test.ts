/**
 * The chart's HorizontalPodAutoscalers: by queue depth, which a real Prometheus scrapes and prometheus-adapter serves to the
 * cluster, and by CPU, which metrics-server does. Pods come and go with the load. On a cluster that has them (addons.sh).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../integration/link.fixture.js';
import { scrape } from '../telemetry/exposition-parse.js';
import { clusterWith } from './addons.fixture.js';
import { Namespace } from './jobs.fixture.js';
import { link, RESOURCES, Release } from './release.fixture.js';

const DEPLOYMENT = 'semlink-transmitter-encoder';

/** What an autoscaler says that it has read, as far as it is looked at. */
interface Metric {
  pods?: { metric: { name: string }; current: { averageValue: string } };
  resource?: { name: string; current: { averageUtilization: number } };
}

const WAYS = [
  {
    by: 'queue',
    needs: 'apiservice/v1beta1.custom.metrics.k8s.io',
    autoscaling: { cpuPercent: 0, queueBytes: 60_000 },
    cpu: '50m',
    idle: ({ pods }: Metric) => pods?.metric.name === 'semlink_queue_bytes' && pods.current.averageValue === '0',
  },
  {
    by: 'cpu',
    needs: 'apiservice/v1beta1.metrics.k8s.io',
    autoscaling: { cpuPercent: 70, queueBytes: 0 },
    // Of which two slow links need little, on slow machines too, and a flood much more.
    cpu: '200m',
    idle: ({ resource }: Metric) => resource?.name === 'cpu' && resource.current.averageUtilization < 60,
  },
];

for (const { by, needs, autoscaling, cpu, idle } of WAYS) {
  const there = await clusterWith(needs, `autoscaling by ${by} is not tried`);
  describe.runIf(there)(`autoscaling by ${by}`, { timeout: 600_000 }, () => {
    const space = new Namespace(`semlink-scaling-${by}`);
    const release = new Release(space);
    beforeAll(() => space.make(), 150_000);
    afterAll(() => space.remove(), 150_000);

    const get = async (kind: string) => JSON.parse(await space.kubectl('get', kind, DEPLOYMENT, '-o', 'json')).status;
    const ready = async () => (await get('deployment')).readyReplicas;

    it('adds a pod under load, which takes links, and takes it away again; no image is lost', async () => {
      const pods = { enabled: true, minReplicas: 1, maxReplicas: 2, scaleDownSeconds: 10 };
      const resources = { ...RESOURCES, requests: { ...RESOURCES.requests, cpu } };
      const values = {
        ...link(true),
        transmitterEncoder: { resources, autoscaling: { ...pods, ...autoscaling } },
        // Links look for new pods sooner than in service.
        maxConnectionAgeMs: 10_000,
      };
      await release.apply(values, '--wait');
      await until(async () => (await get('hpa')).currentMetrics?.some(idle) && (await ready()) === 1, 150_000);

      await release.send('steady', 2, 200, ['--rate=10', '--timeout-ms=120000']);
      await release.send('flood', 4, 1000, ['--in-flight=64', '--timeout-ms=120000']);
      await until(async () => (await ready()) === 2, 180_000);
      expect((await get('hpa')).conditions).toContainEqual(
        expect.objectContaining({ type: 'ScalingActive', status: 'True' }),
      );
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
}
