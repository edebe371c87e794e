/** A release of the chart in a namespace, and pods that send images through it. */
import path from 'node:path';
import { projectRoot } from '../../shared/build/compiled.js';
import { helm } from '../helm/chart.fixture.js';
import { semlink } from '../integration/semlink-command.fixture.js';
import { IMAGE_TAG, type Namespace } from './jobs.fixture.js';

const chart = path.join(projectRoot, 'deploy/helm/semlink');
const SERVICES = ['transmitterEncoder', 'channelEmulator', 'receiverDecoder'];
/** Two cores are enough for all of it. */
export const RESOURCES = { requests: { cpu: '50m', memory: '256Mi' }, limits: { memory: '3Gi' } };

/** Values: one pod of each service of a link, or none. */
export const link = (enabled: boolean) =>
  Object.fromEntries(SERVICES.map((name) => [name, { enabled, replicas: 1, resources: RESOURCES }]));

/** Images of one load, in the parts that have ended. */
export interface Sent {
  parts: number;
  sent: number;
  received: number;
}

/** A release of the chart that goes on with more values. */
export class Release {
  #values: Record<string, unknown> = {};

  constructor(readonly space: Namespace) {}

  async apply(values: Record<string, unknown>, ...flags: string[]): Promise<void> {
    this.#values = { ...this.#values, ...values };
    const given = Object.entries(this.#values).map(([name, value]) => [
      '--set-json',
      `${name}=${JSON.stringify(value)}`,
    ]);
    const where = ['-n', this.space.name, '--set', `image.tag=${IMAGE_TAG}`];
    await helm('upgrade', '--install', 'semlink', chart, ...where, ...given.flat(), '--timeout', '3m', ...flags);
  }

  /** `helm test`: images through the link, each of which has to come back. */
  async test(): Promise<void> {
    await helm('test', 'semlink', '-n', this.space.name, '--timeout', '3m');
  }

  /** The same, and what one transmitter says of its models. */
  async tryLink(): Promise<string> {
    await this.test();
    const [{ status } = { status: { podIP: '' } }] = await this.space.pods('transmitter-encoder');
    const { stdout } = await semlink(['models', 'list', '--to', `${status.podIP}:50051`]);
    return stdout;
  }

  /**
   * Pods that send on and on, a link each, until they are deleted: they know where the link is and nothing else.
   *
   * @param images how many a part has; each part is a run of `semlink send`
   * @param args further arguments of it
   * @param secret that is mounted at /etc/semlink/tls
   */
  async send(load: string, links: number, images: number, args: string[], secret?: string): Promise<void> {
    const to = `--to=semlink-transmitter-encoder-pods.${this.space.name}.svc.cluster.local:50051`;
    const command = ['send', to, '--split=generated', `--images=${images}`, '--json=-', '--reconnect-wait-ms=30000'];
    const tls = secret ? [{ name: 'tls', secret: { secretName: secret } }] : [];
    const pod = (index: number) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `${load}-${index}`, labels: { load } },
      spec: {
        restartPolicy: 'Never',
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'sender',
            image: `semlink/tools:${IMAGE_TAG}`,
            // Without a request it would get next to nothing beside a busy link.
            resources: { requests: { cpu: '50m' } },
            command: ['node', '-e', ON_AND_ON, ...command, `--link=${load}-${index}`, ...args],
            volumeMounts: tls.map(({ name }) => ({ name, mountPath: '/etc/semlink/tls' })),
          },
        ],
        volumes: tls,
      },
    });
    await this.space.apply(...Array.from({ length: links }, (_, index) => pod(index)));
    await this.space.kubectl('wait', 'pod', '-l', `load=${load}`, '--for=condition=Ready', '--timeout=120s');
  }

  /** What the parts of a load that have ended say. @throws Error when one of them lost an image */
  async sent(load: string): Promise<Sent> {
    const log = await this.space.kubectl('logs', '-l', `load=${load}`, '--tail=-1', '--prefix');
    if (log.includes('A PART FAILED')) throw new Error(log);
    const numbers = (key: string) =>
      [...log.matchAll(new RegExp(`"${key}":\\s*(\\d+)`, 'g'))].map(([, n]) => Number(n));
    const sum = (all: number[]) => all.reduce((total, one) => total + one, 0);
    const sent = numbers('images_sent');
    return { parts: sent.length, sent: sum(sent), received: sum(numbers('results_received')) };
  }
}

/** One part after another; what a part says goes into the log of the pod. */
const ON_AND_ON = `
  const { spawnSync } = require('node:child_process');
  for (;;) {
    const args = ['/app/deploy/cli/semlink.mjs', ...process.argv.slice(1)];
    const { status } = spawnSync('node', args, { stdio: 'inherit' });
    if (status !== 0) console.log('A PART FAILED: ' + status);
  }`;
