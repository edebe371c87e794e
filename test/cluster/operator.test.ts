/**
 * The chart's ServiceMonitor, PodMonitor and PrometheusRule under a real Prometheus Operator, and prometheus.kubernetes.yaml in a
 * Prometheus that finds pods by itself. On a cluster that has both, and whose one node is this machine (addons.sh).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../integration/link.fixture.js';
import { clusterWith } from './addons.fixture.js';
import { Namespace } from './jobs.fixture.js';
import { link, RESOURCES, Release } from './release.fixture.js';

const there = await clusterWith(
  'crd/prometheuses.monitoring.coreos.com',
  'ServiceMonitor and PrometheusRule are not tried',
);
const SERVICES = ['channel-emulator', 'receiver-decoder', 'teacher-cache', 'transmitter-encoder'];

interface Target {
  health: string;
  lastError: string;
  labels: Record<string, string>;
}
interface Rule {
  name: string;
  health: string;
  lastError?: string;
  alerts?: { state: string; labels: Record<string, string> }[];
}

describe.runIf(there)('the Prometheus Operator', { timeout: 400_000 }, () => {
  const space = new Namespace('semlink-operator');
  const monitoring = new Namespace('monitoring');
  const release = new Release(space);
  const labels = { prometheus: 'operated' };
  let folder: string;
  beforeAll(async () => {
    await space.make();
    folder = await mkdtemp(path.join(tmpdir(), 'semlink-operator-'));
    // The chart makes this claim.
    await space.writableVolume('semlink-knowledge', path.join(folder, 'knowledge'), { make: false });
    const values = {
      ...link(true),
      teacherCache: { enabled: true, resources: RESOURCES },
      telemetry: {
        serviceMonitor: { enabled: true, labels, interval: '2s' },
        prometheusRule: { enabled: true, labels },
      },
    };
    await release.apply(values, '--wait');
  }, 300_000);
  afterAll(async () => {
    await space.remove();
    if (folder) await rm(folder, { recursive: true, force: true });
  }, 150_000);

  /** What the API of the Prometheus in a pod of `monitoring` says. */
  async function ask<T>(selector: string, question: string): Promise<T> {
    const address = await monitoring.kubectl('get', 'pod', '-l', selector, '-o', 'jsonpath={.items[0].status.podIP}');
    const response = await fetch(`http://${address}:9090/api/v1/${question}`);
    const { data } = (await response.json()) as { data: T };
    return data;
  }
  const OPERATED = 'operator.prometheus.io/name=operated';
  const BY_ITSELF = 'app=prometheus';

  async function targets(selector: string): Promise<Target[]> {
    const { activeTargets } = await ask<{ activeTargets: Target[] }>(selector, 'targets?state=active');
    return activeTargets.filter((target) => target.labels.namespace === space.name);
  }
  const up = async (selector: string) =>
    (await targets(selector)).filter(({ health }) => health === 'up').map((target) => target.labels.job);
  async function rules(): Promise<Rule[]> {
    const { groups } = await ask<{ groups: { rules: Rule[] }[] }>(OPERATED, 'rules');
    return groups.flatMap((group) => group.rules);
  }
  const firing = async (name: string) =>
    (await rules()).flatMap((rule) =>
      rule.name === name ? (rule.alerts ?? []).filter(({ state }) => state === 'firing') : [],
    );

  it('finds every service by the ServiceMonitor, and jobs by the PodMonitor', async () => {
    await until(async () => (await up(OPERATED)).length === SERVICES.length, 120_000);
    expect((await up(OPERATED)).sort()).toEqual(SERVICES);
    const { scrapePools } = await ask<{ scrapePools: string[] }>(OPERATED, 'scrape_pools');
    expect(scrapePools).toContain(`podMonitor/${space.name}/semlink-jobs/0`);
  });

  it('loads all rules of the PrometheusRule, and each can be evaluated', async () => {
    const { spec } = JSON.parse(await space.kubectl('get', 'prometheusrule', 'semlink', '-o', 'json'));
    const wanted = (spec.groups as { rules: { alert?: string; record?: string }[] }[])
      .flatMap((group) => group.rules)
      .map(({ alert, record }) => alert ?? record);
    expect(wanted.length).toBeGreaterThan(30);
    await until(async () => (await rules()).every(({ health }) => health !== 'unknown'), 60_000);
    const loaded = await rules();
    expect(loaded.map(({ name }) => name).sort()).toEqual(wanted.sort());
    for (const { name, health, lastError } of loaded) expect(health, `${name}: ${lastError}`).toBe('ok');
  });

  it('raises an alert for a pod that is down, while the link carries images, and takes it back', async () => {
    expect(await firing('SemlinkServiceDown')).toEqual([]);
    const receiver = (image: object) => ({ receiverDecoder: { ...link(true).receiverDecoder, image } });
    // Its pod never starts; the one before it stays.
    await release.apply(receiver({ tag: 'of-nowhere' }));
    await until(async () => (await firing('SemlinkServiceDown')).length > 0, 150_000);
    const [alert] = await firing('SemlinkServiceDown');
    expect(alert!.labels).toMatchObject({ job: 'receiver-decoder', severity: 'critical', namespace: space.name });
    await release.test();
    await release.apply(receiver({}));
    await until(async () => (await firing('SemlinkServiceDown')).length === 0, 60_000);
  });

  it('is not needed: a Prometheus with the configuration for clusters finds the services, too', async () => {
    await until(async () => (await up(BY_ITSELF)).length === SERVICES.length, 60_000);
    expect((await up(BY_ITSELF)).sort()).toEqual(SERVICES);
    const pods = await space.pods('transmitter-encoder');
    const found = (await targets(BY_ITSELF)).find((target) => target.labels.job === 'transmitter-encoder');
    expect(found!.labels).toMatchObject({ pod: pods[0]!.metadata.name, node: expect.stringMatching(/./) });
  });
});
