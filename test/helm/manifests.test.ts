/** What every manifest must have, whatever the values: security, drains, policies; and that the services take what they are given. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../shared/build/compiled.js';
import { hasSchemas, type Resource, resources } from './chart.fixture.js';

const run = promisify(execFile);
let folder: string;
const rendered: Record<string, Resource[]> = {};
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-manifests-'));
  if (!hasSchemas) return;
  for (const name of ['default', 'full']) {
    rendered[name] = await resources(readFileSync(path.join(projectRoot, `deploy/helm/rendered/${name}.yaml`), 'utf8'));
  }
});
afterAll(() => rm(folder, { recursive: true }));

const ofKind = (name: string, kind: string) => rendered[name]!.filter((one) => one.kind === kind);
const componentOf = ({ metadata }: Resource) => metadata.labels['app.kubernetes.io/component']!;
/** Pods of Deployments, Jobs and tests: name and specification. */
const pods = (name: string) => [
  ...[...ofKind(name, 'Deployment'), ...ofKind(name, 'Job')].map((one) => ({
    name: `${one.kind} ${one.metadata.name}`,
    labels: one.spec.template.metadata.labels as Record<string, string>,
    spec: one.spec.template.spec,
  })),
  ...ofKind(name, 'Pod').map((one) => ({
    name: `Pod ${one.metadata.name}`,
    labels: one.metadata.labels,
    spec: one.spec,
  })),
];

describe.runIf(hasSchemas).each(['default', 'full'])('%s values', (values) => {
  it('pods keep to the restricted Pod Security Standard, with nothing writable but volumes', () => {
    expect(pods(values).length).toBeGreaterThan(3);
    for (const { name, spec } of pods(values)) {
      expect(spec.securityContext, name).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(spec.securityContext.runAsUser, name).toBeGreaterThan(999);
      expect(spec.automountServiceAccountToken, name).toBe(false);
      expect(spec.hostNetwork ?? spec.hostPID ?? spec.hostIPC, name).toBeUndefined();
      for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
        expect(container.securityContext, name).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container.resources.requests.cpu, name).toBeDefined();
        expect(container.resources.limits.memory, name).toBeDefined();
        const mounted = container.volumeMounts.map((mount: { name: string }) => mount.name);
        const volumes = spec.volumes.map((volume: { name: string }) => volume.name);
        expect(volumes, name).toEqual(expect.arrayContaining(mounted));
        expect(mounted, name).toContain('tmp');
      }
    }
  });

  it('an update takes no pod before the next one is ready, unless that waits for its GPU, and a pod has time to drain', () => {
    for (const { metadata, spec } of ofKind(values, 'Deployment')) {
      const [container] = spec.template.spec.containers;
      // Of the two with GPUs the receiver has spare ones.
      const waits =
        container.resources.limits['nvidia.com/gpu'] !== undefined &&
        componentOf({ metadata } as Resource) !== 'receiver-decoder';
      const update = waits ? { maxUnavailable: 1, maxSurge: 0 } : { maxUnavailable: 0, maxSurge: 1 };
      expect(spec.strategy.rollingUpdate, metadata.name).toEqual(update);
      const sleep = container.lifecycle.preStop.sleep.seconds;
      const config = JSON.parse(configOf(values, metadata.name));
      expect(sleep).toBeGreaterThan(0);
      const drain = (config.drainLimitMs ?? 0) / 1_000;
      expect(spec.template.spec.terminationGracePeriodSeconds, metadata.name).toBeGreaterThan(sleep + drain);
      // Frames must not time out while their service moves, and connections must not outlive what moves them.
      if (config.reconnectWaitMs) expect(config.reconnectWaitMs).toBeGreaterThanOrEqual(10_000);
    }
  });

  it('liveness asks the process alone, readiness the service', () => {
    for (const { metadata, spec } of ofKind(values, 'Deployment')) {
      const { livenessProbe, readinessProbe, startupProbe } = spec.template.spec.containers[0];
      expect(livenessProbe.grpc?.service, metadata.name).toBeUndefined();
      if (livenessProbe.httpGet) expect(livenessProbe.httpGet.path).toBe('/healthz');
      if (readinessProbe.grpc) expect(readinessProbe.grpc.service).toMatch(/^semlink\.v1\./);
      else expect(readinessProbe.httpGet.path).toBe('/readyz');
      expect(startupProbe.failureThreshold * startupProbe.periodSeconds).toBeGreaterThanOrEqual(120);
    }
  });

  it('every Service, PodDisruptionBudget and autoscaler finds its pods', () => {
    const labels = ofKind(values, 'Deployment').map(
      (one) => one.spec.template.metadata.labels as Record<string, string>,
    );
    const matches = (selector: Record<string, string>) =>
      labels.filter((pod) => Object.entries(selector).every(([key, value]) => pod[key] === value)).length;
    for (const one of ofKind(values, 'Service')) expect(matches(one.spec.selector), one.metadata.name).toBe(1);
    for (const one of ofKind(values, 'PodDisruptionBudget')) expect(matches(one.spec.selector.matchLabels)).toBe(1);
    const deployments = ofKind(values, 'Deployment').map(({ metadata }) => metadata.name);
    for (const one of ofKind(values, 'HorizontalPodAutoscaler')) {
      expect(deployments).toContain(one.spec.scaleTargetRef.name);
      const scaled = ofKind(values, 'Deployment').find(
        ({ metadata }) => metadata.name === one.spec.scaleTargetRef.name,
      );
      expect(scaled?.spec.replicas).toBeUndefined();
    }
  });

  it('all traffic is denied, then each hop is let through on its port', () => {
    const policies = ofKind(values, 'NetworkPolicy');
    const deny = policies.find(({ metadata }) => metadata.name.endsWith('-deny'))!;
    expect(deny.spec).toMatchObject({ policyTypes: ['Ingress', 'Egress'] });
    expect(deny.spec.ingress ?? deny.spec.egress).toBeUndefined();
    for (const { labels, name } of pods(values)) {
      for (const [key, value] of Object.entries(deny.spec.podSelector.matchLabels))
        expect(labels[key], name).toBe(value);
    }
    for (const [from, to, port] of [
      ['transmitter-encoder', 'channel-emulator', 50052],
      ['channel-emulator', 'receiver-decoder', 50053],
    ] as const) {
      const policyOf = (component: string) => policies.find((one) => componentOf(one) === component)!.spec;
      const target = (peer: { podSelector?: { matchLabels?: Record<string, string> } }) =>
        peer.podSelector?.matchLabels?.['app.kubernetes.io/component'];
      const out = policyOf(from).egress.filter((rule: { ports: { port: number }[] }) => rule.ports[0]!.port === port);
      expect(out.flatMap((rule: { to: [] }) => rule.to.map(target))).toEqual([to]);
      const into = policyOf(to).ingress.filter((rule: { ports: { port: number }[] }) => rule.ports[0]!.port === port);
      expect(into.flatMap((rule: { from: [] }) => rule.from.map(target))).toContain(from);
    }
  });

  it.runIf(values === 'full')('Prometheus finds the metrics of every job, and is let in', () => {
    const [monitor] = ofKind(values, 'PodMonitor');
    const [{ key, values: components }] = monitor!.spec.selector.matchExpressions;
    for (const { metadata, spec } of ofKind(values, 'Job').filter((one) => componentOf(one) !== 'test')) {
      const { labels } = spec.template.metadata;
      expect(components, metadata.name).toContain(labels[key]);
      expect(labels, metadata.name).toMatchObject(monitor!.spec.selector.matchLabels);
      const [{ args, ports }] = spec.template.spec.containers;
      expect(ports, metadata.name).toEqual([
        { name: monitor!.spec.podMetricsEndpoints[0].port, containerPort: expect.any(Number) },
      ]);
      expect(args, metadata.name).toContain(`--metrics-listen=0.0.0.0:${ports[0].containerPort}`);
      const policy = ofKind(values, 'NetworkPolicy').find((one) => componentOf(one) === labels[key])!;
      expect(policy.spec.ingress[0].ports[0].port, metadata.name).toBe(ports[0].containerPort);
    }
  });

  it('each service takes its configuration', { timeout: 120_000 }, async () => {
    for (const deployment of ofKind(values, 'Deployment')) {
      const component = componentOf(deployment);
      const main = path.join(projectRoot, `dist/services/${component}/main.js`);
      if (component === 'console' && !existsSync(main)) continue;
      const file = path.join(folder, `${values}-${component}.json`);
      await writeFile(file, configOf(values, deployment.metadata.name));
      const { stdout } = await run(process.execPath, [main, '--config', file, '--print-config']);
      expect(stdout, component).toContain(file);
    }
  });

  it('each job is a command with options that it has', { timeout: 120_000 }, async () => {
    for (const { name, spec } of pods(values).filter((pod) => !pod.name.startsWith('Deployment'))) {
      const args = spec.containers[0].args.map((arg: string) => arg.replace('$(JOB_COMPLETION_INDEX)', '0'));
      const done = await run(process.execPath, [
        path.join(projectRoot, 'deploy/cli/semlink.mjs'),
        ...args,
        '--print-config',
      ]);
      expect(done.stdout, name).toContain('"flag --');
    }
  });
});

/** The configuration that a Deployment mounts, whose checksum it carries, so that a change of it restarts the pods. */
function configOf(values: string, name: string): string {
  const map = ofKind(values, 'ConfigMap').find(({ metadata }) => metadata.name === name);
  return map!.data['config.json'];
}
