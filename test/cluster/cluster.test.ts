/**
 * The chart on a real cluster: images through the update of every service, a canary and its rollback, TLS. Where
 * SEMLINK_TEST_KUBECONFIG names a cluster that has the images (test/cluster/README.md); .ci/run makes one.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../shared/build/compiled.js';
import { helm } from '../helm/chart.fixture.js';
import { Authority } from '../integration/certificates.fixture.js';
import { until } from '../integration/link.fixture.js';

const run = promisify(execFile);
const { SEMLINK_TEST_KUBECONFIG: kubeconfig, SEMLINK_TEST_IMAGE_TAG: tag = '' } = process.env;
if (!kubeconfig)
  process.stderr.write('\n*** NO CLUSTER: the chart is not tried on one; see test/cluster/README.md ***\n\n');

const namespace = 'semlink-try';
const chart = path.join(projectRoot, 'deploy/helm/semlink');
const upgrade = (...flags: string[]) =>
  helm('upgrade', 'semlink', chart, '-n', namespace, '--reuse-values', '--wait', '--timeout', '5m', ...flags);
const kubectl = async (...args: string[]) => (await run('kubectl', ['-n', namespace, ...args])).stdout;

/** Names of the pods of the three services. */
const pods = async () =>
  (
    await kubectl(
      'get',
      'pods',
      '-o',
      'name',
      '-l',
      'app.kubernetes.io/component in (transmitter-encoder,channel-emulator,receiver-decoder)',
    )
  )
    .trim()
    .split('\n')
    .sort();
const transmitterLog = () =>
  kubectl('logs', '-l', 'app.kubernetes.io/component=transmitter-encoder', '--tail=-1', '--prefix');

describe.runIf(kubeconfig)('the chart on a cluster', { timeout: 900_000 }, () => {
  let folder: string;
  beforeAll(async () => {
    process.env.KUBECONFIG = kubeconfig;
    folder = await mkdtemp(path.join(tmpdir(), 'semlink-cluster-'));
  });
  afterAll(async () => {
    await helm('uninstall', 'semlink', '-n', namespace, '--ignore-not-found').catch(() => {});
    if (folder) await rm(folder, { recursive: true });
  });

  it('carries 10,000 images while every service is updated pod by pod', async () => {
    const flags = ['--rate', '60', '--keep', ...(tag ? ['--tag', tag] : [])];
    const done = await run(path.join(projectRoot, 'deploy/try-cluster.sh'), flags, { timeout: 800_000 });
    expect(done.stdout).toBe('images_sent 10000\nresults_received 10000\n');
    expect(done.stderr).toContain('through the update of every service');
  });

  it('takes weights of models and their rollback without a restart', async () => {
    const before = await pods();
    expect(before.length).toBe(6);
    // Old lines are of other weights.
    const counted = async (text: string) =>
      new Set(
        (await transmitterLog())
          .split('\n')
          .filter((line) => line.includes(text))
          .map((line) => line.split(' ')[0]),
      ).size;
    await upgrade('--set', 'models.weights.m-cifar10-3=90,models.weights.s-cifar10-2=10');
    await until(async () => (await counted('weights of models: m-cifar10-3=90, s-cifar10-2=10')) === 2, 150_000);
    await helm('rollback', 'semlink', '-n', namespace, '--wait');
    await until(async () => (await counted('weights of models: none')) === 2, 150_000);
    expect(await pods()).toEqual(before);
  });

  it('speaks TLS on every hop, with certificates of both sides', async () => {
    const authority = await Authority.make(folder, 'cluster test');
    const names = ['transmitter-encoder', 'channel-emulator', 'receiver-decoder'].map(
      (one) => `semlink-${one}-pods.${namespace}.svc.cluster.local`,
    );
    const { cert, key } = await authority.issue('service', names);
    const files = [`--from-file=tls.crt=${cert}`, `--from-file=tls.key=${key}`, `--from-file=ca.crt=${authority.ca}`];
    await kubectl('delete', 'secret', 'semlink-test-tls', '--ignore-not-found');
    await kubectl('create', 'secret', 'generic', 'semlink-test-tls', ...files);
    await upgrade('--set', 'tls.enabled=true,tls.existingSecret=semlink-test-tls');
    await helm('test', 'semlink', '-n', namespace, '--timeout', '3m');
    expect(await kubectl('logs', 'semlink-test')).toContain('1000       0');
  });
});
