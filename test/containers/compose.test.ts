import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../shared/build/compiled.js';
import { KnowledgeClient } from '../../shared/client/knowledge.js';
import { SemanticLink } from '../../shared/client/link.js';
import { cacheFolder } from '../../shared/data/cache.js';
import { accuracyOf, sendAll, testImages } from '../integration/link.fixture.js';
import { failures } from './containers.fixture.js';
import { containerEngine, TARGETS } from './engine.fixture.js';
import { BUILD_LIMIT_MS, goTool } from './go-tools.fixture.js';

const engine = await containerEngine();
const program = engine && (await goTool('docker-compose'));

const file = path.join(projectRoot, 'deploy', 'compose', 'compose.yaml');
const project = `semlink-test-${process.pid}`;
/** Free ports, chosen by the engine. */
const ports = { SEMLINK_PORT: '0', SEMLINK_CHANNEL_PORT: '0', SEMLINK_KNOWLEDGE_PORT: '0', SEMLINK_CONSOLE_PORT: '0' };

async function compose(args: string[], env: Record<string, string> = {}): Promise<string> {
  const { stdout } = await promisify(execFile)(program!, ['-p', project, '-f', file, ...args], {
    env: { ...process.env, ...ports, ...env },
    maxBuffer: 16 * 1024 ** 2,
  });
  return stdout.trim();
}

interface Service {
  image: string;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  deploy: { resources: { limits?: object; reservations?: { devices: { capabilities: string[] }[] } } };
  volumes?: { type: string; source: string; target: string }[];
  healthcheck?: object;
  networks: Record<string, { aliases?: string[] } | null>;
}

describe.skipIf(program === undefined)('docker compose', { timeout: 120_000 }, () => {
  const configOf = async (profiles: string): Promise<Record<string, Service>> => {
    const text = await compose(['config', '--format', 'json'], { COMPOSE_PROFILES: profiles });
    return (JSON.parse(text) as { services: Record<string, Service> }).services;
  };
  const link = ['channel-emulator', 'receiver-decoder', 'teacher-cache', 'transmitter-encoder'];

  it.each([
    ['cpu', link],
    ['cpu,observe', [...link, 'grafana', 'jaeger', 'prometheus'].sort()],
    ['cpu,console', [...link, 'console'].sort()],
    ['cpu,distill', [...link, 'distiller'].sort()],
    ['gpu', ['channel-emulator', 'receiver-decoder-gpu', 'teacher-cache', 'transmitter-encoder-gpu']],
  ])('profiles %s start what they say, each bounded and without privileges', async (profiles, services) => {
    const config = await configOf(profiles);
    expect(Object.keys(config).sort()).toEqual(services);
    for (const [name, service] of Object.entries(config)) {
      const where = `${name} of ${profiles}`;
      expect(service.cap_drop, where).toEqual(['ALL']);
      expect(service.security_opt, where).toEqual(['no-new-privileges:true']);
      expect(service.deploy.resources.limits, where).toMatchObject({
        cpus: expect.anything(),
        memory: expect.anything(),
      });
      if (service.image.startsWith('semlink/')) expect(service.read_only, where).toBe(true);
      // A tag, for what is pulled must not change by itself.
      expect(service.image, where).toMatch(/:[\w.-]+$/);
      expect(service.image, where).not.toMatch(/:latest$/);
    }
  });

  it('with GPUs the same names are served, by images of the GPU flavour that get one each', async () => {
    const config = await configOf('gpu');
    for (const name of ['transmitter-encoder', 'receiver-decoder']) {
      const service = config[`${name}-gpu`]!;
      expect(service.image).toMatch(/-gpu$/);
      expect(service.networks.link?.aliases).toEqual([name]);
      expect(service.deploy.resources.reservations?.devices[0]?.capabilities).toEqual(['gpu']);
    }
  });

  it('starts the link with Prometheus and a trace store where nothing is said', async () => {
    const { COMPOSE_PROFILES: _, ...env } = process.env;
    const { stdout } = await promisify(execFile)(program!, ['-f', file, 'config', '--services'], { env });
    expect(stdout.trim().split('\n')).toEqual(
      expect.arrayContaining([...link, 'console', 'prometheus', 'grafana', 'jaeger']),
    );
  });

  it('takes every image from where it is told to', async () => {
    const env = {
      COMPOSE_PROFILES: 'cpu,console,observe,distill',
      SEMLINK_REPOSITORY: 'mirror.example/semlink',
      PROMETHEUS_IMAGE: 'mirror.example/prometheus',
      GRAFANA_IMAGE: 'mirror.example/grafana',
      JAEGER_IMAGE: 'mirror.example/jaeger',
    };
    const images = (await compose(['config', '--images'], env)).split('\n');
    expect(images.filter((image) => !image.startsWith('mirror.example/'))).toEqual([]);
  });

  it('lets only the teacher-cache at the volume of knowledge', async () => {
    const users = Object.entries(await configOf('cpu,distill')).filter(([, { volumes = [] }]) =>
      volumes.some(({ source }) => source === 'knowledge'),
    );
    expect(users.map(([name]) => name)).toEqual(['teacher-cache']);
  });

  it('mounts files that are there', async () => {
    const config = await configOf('cpu,observe');
    const mounted = Object.values(config).flatMap(({ volumes = [] }) => volumes.filter(({ type }) => type === 'bind'));
    expect(mounted.length).toBeGreaterThan(2);
    for (const { source } of mounted) {
      expect(readdirSync(path.dirname(source)), source).toContain(path.basename(source));
    }
  });

  describe('brought up', () => {
    const environment = {
      COMPOSE_PROFILES: TARGETS.includes('console') ? 'cpu,console' : 'cpu',
      SEMLINK_OTLP_ENDPOINT: '',
    };
    beforeAll(() => compose(['up', '--detach', '--wait'], environment), BUILD_LIMIT_MS);
    afterAll(() => compose(['down', '--volumes', '--timeout', '5'], environment), 60_000);
    const addressOf = (service: string, port: number) => compose(['port', service, `${port}`], environment);

    it('sends images through', async () => {
      const address = await addressOf('transmitter-encoder', 50051);
      const client = new SemanticLink({ address, linkId: 'compose', policy: { kind: 'fixed', channelUses: 32 } });
      const answers = await sendAll(client, await testImages(500));
      await client.close();
      expect(failures(answers)).toEqual([]);
      expect(accuracyOf(answers)).toBeGreaterThan(0.75);
    });

    it.each(TARGETS.filter((name) => name === 'console'))('shows the page of the link: %s', async () => {
      const response = await fetch(`http://${await addressOf('console', 8088)}/`);
      expect(response.status).toBe(200);
      expect(await response.text()).toMatch(/<title>[^<]*SemLink/);
    });

    it('distils from what the teacher-cache hands out, into the volume that the link can take models from', async () => {
      const tiny = [
        '--size',
        's',
        '--epochs',
        '1',
        '--images',
        '640',
        '--channel-uses',
        '64',
        '--calibration-images',
        '500',
      ];
      const printed = await compose(['run', '--rm', '--no-TTY', 'distiller', ...tiny], {
        ...environment,
        SEMLINK_CACHE: cacheFolder(),
      });
      expect(printed).toContain('learning from cifar10-ensemble-of-4: 10 stored views an image');
      expect(printed).toContain('published /distilled/s-cifar10-2');
    });

    it('hands out the knowledge that ships', async () => {
      const client = new KnowledgeClient({ address: await addressOf('teacher-cache', 50054) });
      expect((await client.published('cifar10')).images).toBeGreaterThan(1_000);
      expect((await client.get('cifar10', [0, 1])).length).toBeGreaterThan(0);
      client.close();
    });
  });
});
