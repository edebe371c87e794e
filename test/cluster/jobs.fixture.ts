/** What the jobs of the chart need in a cluster of this machine: volumes, an S3 server, a small teacher; and looks into pods. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { colourModel, writeColourModel } from '../../services/teacher/onnx.fixture.js';
import { semlinkVersion } from '../../shared/config/version.js';
import { cacheFolder } from '../../shared/data/cache.js';
import { until } from '../integration/link.fixture.js';
import { type Scrape, scrape } from '../telemetry/exposition-parse.js';

const run = promisify(execFile);
export const IMAGE_TAG = process.env.SEMLINK_TEST_IMAGE_TAG || semlinkVersion();
export const S3_PORT = 7070;
export const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'semlink-test',
  AWS_SECRET_ACCESS_KEY: 'semlink-test-secret',
  AWS_REGION: 'us-east-1',
};

/** Where local-cluster.sh made the cluster its one node is this machine, and folders of it can be volumes. */
export async function nodeIsHere(kubeconfig: string): Promise<boolean> {
  const { stdout } = await run('kubectl', ['--kubeconfig', kubeconfig, 'get', 'nodes', '-o', 'name']);
  return stdout.trim() === 'node/semlink-node';
}

interface Pod {
  metadata: { name: string; uid: string; annotations?: Record<string, string>; deletionTimestamp?: string };
  status: { phase: string; podIP?: string };
}

/** A namespace of its own, with nothing in it at first. */
export class Namespace {
  readonly #volumes: string[] = [];

  constructor(readonly name: string) {}

  async kubectl(...args: string[]): Promise<string> {
    return (await run('kubectl', ['-n', this.name, ...args], { maxBuffer: 64 * 1024 ** 2 })).stdout;
  }

  async make(): Promise<void> {
    await this.remove();
    await this.kubectl('create', 'namespace', this.name);
    // What the chart's pods keep to, the API server insists on.
    await this.kubectl('label', 'namespace', this.name, 'pod-security.kubernetes.io/warn=restricted');
  }

  async remove(): Promise<void> {
    await this.kubectl('delete', 'namespace', this.name, '--ignore-not-found', '--timeout=120s');
    for (const volume of this.#volumes)
      await this.kubectl('delete', 'pv', volume, '--ignore-not-found', '--wait=false');
  }

  async apply(...resources: object[]): Promise<void> {
    const child = run('kubectl', ['-n', this.name, 'apply', '-f', '-']);
    child.child.stdin!.end(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: resources }));
    await child;
  }

  /** A folder of this machine as the volume that `claim` will be bound to; `make`: the claim, too, where the chart does not. */
  async volume(claim: string, folder: string, { make = true } = {}): Promise<void> {
    await mkdir(folder, { recursive: true });
    const name = `${this.name}-${claim}`;
    this.#volumes.push(name);
    await this.kubectl('delete', 'pv', name, '--ignore-not-found');
    const accessModes = ['ReadWriteOnce', 'ReadWriteMany', 'ReadOnlyMany'];
    const volume = {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name },
      spec: {
        ...{
          capacity: { storage: '20Gi' },
          accessModes,
          persistentVolumeReclaimPolicy: 'Retain',
          storageClassName: '',
        },
        hostPath: { path: folder },
        claimRef: { namespace: this.name, name: claim },
      },
    };
    const spec = { accessModes, storageClassName: '', volumeName: name, resources: { requests: { storage: '1Gi' } } };
    const wanted = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: claim }, spec };
    await this.apply(volume, ...(make ? [wanted] : []));
  }

  /** A folder of this machine that pods may write to, as volumes of a cluster are made writable for their group. */
  async writableVolume(claim: string, folder: string, options: { make?: boolean } = {}): Promise<void> {
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o777);
    await this.volume(claim, folder, options);
  }

  /** The set-up's cache folder with CIFAR-10, as the claim `data-sets`. */
  data(): Promise<void> {
    return this.volume('data-sets', cacheFolder());
  }

  /** Pods of a component that are not on their way out. */
  async pods(component: string): Promise<Pod[]> {
    const text = await this.kubectl('get', 'pods', '-o', 'json', '-l', `app.kubernetes.io/component=${component}`);
    const { items } = JSON.parse(text) as { items: Pod[] };
    return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  }

  /** The running pod of a component whose metrics say what is waited for. */
  async podWhose(component: string, says: (metrics: Scrape) => boolean, port: number): Promise<Pod> {
    let found: Pod | undefined;
    await until(async () => {
      for (const pod of await this.pods(component)) {
        if (pod.status.phase !== 'Running' || !pod.status.podIP) continue;
        const metrics = await scrape(`http://${pod.status.podIP}:${port}`).catch(() => undefined);
        if (metrics && says(metrics)) found = pod;
      }
      return found !== undefined;
    }, 240_000);
    return found!;
  }

  logs(component: string): Promise<string> {
    return this.kubectl('logs', '-l', `app.kubernetes.io/component=${component}`, '--tail=-1', '--prefix');
  }

  /** Resolves when the Job is complete. @throws Error with its pods' last words when it failed */
  async completed(job: string, component: string, limitMs = 400_000): Promise<void> {
    const said = async (type: string) =>
      (await this.kubectl('get', 'job', job, '-o', `jsonpath={.status.conditions[?(@.type=="${type}")].status}`)) ===
      'True';
    await until(async () => {
      if (await said('Failed')) throw new Error(`${job} failed:\n${await this.logs(component)}`);
      await new Promise((resolve) => setTimeout(resolve, 300));
      return said('Complete');
    }, limitMs);
  }

  /** SIGKILL, as when a node is lost. */
  async kill({ metadata }: Pod): Promise<void> {
    await this.kubectl('delete', 'pod', metadata.name, '--force', '--grace-period=0', '--wait=false');
  }

  /**
   * versitygw in a pod, its objects in the pod.
   *
   * @returns where pods and where this machine find it
   */
  async s3(program: string): Promise<{ inside: string; outside: string }> {
    const access = ['--access', CREDENTIALS.AWS_ACCESS_KEY_ID, '--secret', CREDENTIALS.AWS_SECRET_ACCESS_KEY];
    const container = {
      name: 's3',
      image: `semlink/channel-emulator:${IMAGE_TAG}`,
      command: ['/versitygw', '--port', `:${S3_PORT}`, ...access, 'posix', '--sidecar', '/metadata', '/data'],
      volumeMounts: ['versitygw', 'data', 'metadata'].map((name) => ({ name, mountPath: `/${name}` })),
      readinessProbe: { tcpSocket: { port: S3_PORT }, periodSeconds: 1 },
    };
    const volumes = [
      { name: 'versitygw', hostPath: { path: program, type: 'File' } },
      ...['data', 'metadata'].map((name) => ({ name, emptyDir: {} })),
    ];
    const labels = { app: 's3' };
    const spec = { containers: [container], volumes, securityContext: { fsGroup: 65_532 } };
    await this.apply(
      { apiVersion: 'v1', kind: 'Pod', metadata: { name: 's3', labels }, spec },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 's3' },
        spec: { clusterIP: 'None', selector: labels, ports: [{ name: 's3', port: S3_PORT }] },
      },
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's3' }, stringData: CREDENTIALS },
    );
    await this.kubectl('wait', 'pod/s3', '--for=condition=Ready', '--timeout=60s');
    const address = await this.kubectl('get', 'pod', 's3', '-o', 'jsonpath={.status.podIP}');
    return {
      inside: `http://s3.${this.name}.svc.cluster.local:${S3_PORT}`,
      outside: `http://${address}:${S3_PORT}`,
    };
  }

  /**
   * A model of colours as a teacher, which takes its time: it wants its images large.
   *
   * @returns its JSON file on this machine; in the cluster it is the ConfigMap `teacher`
   */
  async teacher(folder: string): Promise<string> {
    const file = path.join(folder, 'teacher.json');
    await writeColourModel(path.join(folder, 'colours.onnx'), colourModel(1, TEACHER_SIZE));
    await writeFile(
      file,
      JSON.stringify({ name: 'colours', members: [{ kind: 'onnx', file: 'colours.onnx', size: TEACHER_SIZE }] }),
    );
    await this.kubectl(
      'create',
      'configmap',
      'teacher',
      `--from-file=${folder}/teacher.json`,
      `--from-file=${folder}/colours.onnx`,
    );
    return file;
  }
}

const TEACHER_SIZE = 160;
