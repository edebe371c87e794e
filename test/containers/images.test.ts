import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { ContainerRuntimeClient } from 'testcontainers';
import { type StartedTestContainer, Wait } from 'testcontainers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { semlinkVersion } from '../../shared/config/index.js';
import { HardenedContainer, PORTS } from './containers.fixture.js';
import { containerEngine, IMAGES, imageOf, TARGETS } from './engine.fixture.js';

const engine = await containerEngine();

const MB = 1e6;
/** Most bytes of an image, unpacked: with TensorFlow or without. */
const limitOf = (target: string): number => (computes(target) ? 900 * MB : 250 * MB);
const computes = (target: string): boolean => IMAGES.some((image) => image.target === target && image.engine);
const SERVICES = ['transmitter-encoder', 'channel-emulator', 'receiver-decoder', 'teacher-cache'] as const;

/** An image that waits, so that a test can look around in it. */
class Idle extends HardenedContainer {
  constructor(target: string) {
    super(imageOf(target));
    this.withEntrypoint(['node', '-e', 'setInterval(() => {}, 1000)']);
  }
}

/** A service whose own health check runs every second. */
class Watched extends HardenedContainer {
  constructor(target: string) {
    super(imageOf(target));
    this.createOpts.Healthcheck = { Interval: 1e9 };
    this.withWaitStrategy(Wait.forHealthCheck());
  }
}

describe.skipIf(engine === undefined)('the images', { timeout: 120_000 }, () => {
  const inspect = (target: string) =>
    (engine as ContainerRuntimeClient).container.dockerode.getImage(imageOf(target)).inspect();

  it.each(TARGETS)(
    '%s is within its size, runs as a numbered user who is not root, and says what it is',
    async (target) => {
      const { Size, Config } = await inspect(target);
      expect(Size).toBeLessThan(limitOf(target));
      expect(Config.User).toMatch(/^[1-9]\d*:[1-9]\d*$/);
      expect(Config.Env).toContain('NODE_OPTIONS=--max-semi-space-size=32');
      expect(Config.Labels).toMatchObject({
        'org.opencontainers.image.title': `semlink/${target}`,
        'org.opencontainers.image.version': semlinkVersion(),
        'org.opencontainers.image.licenses': 'Apache-2.0',
        'org.opencontainers.image.revision': expect.stringMatching(/^([0-9a-f]{40}(-changed)?|unknown)$/),
        'org.opencontainers.image.description': expect.stringMatching(/\.$/),
        'org.opencontainers.image.created': expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      });
    },
  );

  describe.each(TARGETS)('inside %s', (target) => {
    let container: StartedTestContainer;
    beforeAll(async () => {
      container = await new Idle(target).start();
    }, 60_000);
    afterAll(async () => {
      await container?.stop({ timeout: 0 });
    });
    /** What a module evaluates to, as JSON. */
    const evaluate = async (program: string): Promise<unknown> => {
      const { output, exitCode } = await container.exec(['node', '--input-type=module', '-e', program]);
      if (exitCode !== 0) throw new Error(output);
      return JSON.parse(output);
    };

    it('there is no compiler, no package manager and no test, and nothing can be written', async () => {
      const paths = ['npm', 'npx', 'yarn', 'corepack', 'pip', 'pip3', 'gcc', 'g++', 'cc', 'tsc'].flatMap((name) => [
        `/usr/local/bin/${name}`,
        `/usr/bin/${name}`,
      ]);
      paths.push('/usr/local/lib/node_modules', '/var/lib/apt/lists', '/root/.npm', '/root/.cache');
      paths.push('/app/node_modules/typescript', '/app/node_modules/vitest', '/app/node_modules/.package-lock.json');
      expect(
        await evaluate(`
          import { existsSync, readdirSync, writeFileSync } from 'node:fs';
          const found = ${JSON.stringify(paths)}.filter((path) => existsSync(path));
          const files = readdirSync('/app', { recursive: true });
          found.push(...files.filter((name) => /\\.(test|fixture)\\.js$|\\.d\\.ts$|\\.js\\.map$/.test(name)));
          for (const path of ['/app/x', '/x', '/usr/local/bin/x']) {
            try { writeFileSync(path, ''); found.push(path); } catch {}
          }
          writeFileSync('/tmp/x', '');
          console.log(JSON.stringify(found));`),
      ).toEqual([]);
    });

    it(computes(target) ? 'TensorFlow computes' : 'there is neither TensorFlow nor ONNX Runtime', async () => {
      if (computes(target)) {
        const answer = await evaluate(`
          const { loadTensorFlow } = await import('/app/dist/shared/tensor/native.js');
          const tf = loadTensorFlow();
          const product = tf.matMul(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor2d([[5, 6], [7, 8]]));
          console.log(JSON.stringify([tf.getBackend(), ...product.dataSync()]));`);
        expect(answer).toEqual(['tensorflow', 19, 22, 43, 50]);
      } else {
        const packages = (await evaluate(`
          import { readdirSync } from 'node:fs';
          console.log(JSON.stringify(readdirSync('/app/node_modules')));`)) as string[];
        expect(packages).toContain('@grpc');
        expect(packages.filter((name) => /tensorflow|onnx|sharp|img/.test(name))).toEqual([]);
      }
    });
  });

  it.each(SERVICES)('%s is healthy by its own check, which tells when it is not', async (target) => {
    const container = await new Watched(target).start();
    try {
      const probe = (argument: string) => container.exec(['node', '/app/health-probe.mjs', argument]);
      const listen = `SEMLINK_${target.toUpperCase().replaceAll('-', '_')}_LISTEN`;
      expect(await probe(listen)).toMatchObject({ exitCode: 0, output: 'SERVING\n' });
      expect(await probe(`127.0.0.1:${PORTS[target]}`)).toMatchObject({ exitCode: 0 });
      expect(await probe('127.0.0.1:1')).toMatchObject({
        exitCode: 1,
        output: expect.stringContaining('ECONNREFUSED'),
      });
      expect(await probe('NO_SUCH_VARIABLE')).toMatchObject({ exitCode: 2 });
      // Another server of HTTP/2 that is not ours, or none at all, is not taken for serving: /metrics is HTTP/1.
      expect((await probe(`127.0.0.1:${9464 + SERVICES.indexOf(target)}`)).exitCode).toBe(1);
    } finally {
      await container.stop({ timeout: 0 });
    }
  });

  it('a service that serves by TLS is asked by TLS', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'semlink-tls-'));
    const [cert, key] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
    const subject = ['-subj', '/CN=channel-emulator', '-days', '1', '-nodes'];
    await promisify(execFile)('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      ...subject,
      '-keyout',
      key,
      '-out',
      cert,
    ]);
    await Promise.all([chmod(folder, 0o755), chmod(key, 0o644)]);
    const container = await new Watched('channel-emulator')
      .withBindMounts([{ source: folder, target: '/tls', mode: 'ro' }])
      .withEnvironment({
        SEMLINK_CHANNEL_EMULATOR_TLS_CERT: '/tls/cert.pem',
        SEMLINK_CHANNEL_EMULATOR_TLS_KEY: '/tls/key.pem',
      })
      .start();
    try {
      const plain = ['node', '/app/health-probe.mjs', `127.0.0.1:${PORTS['channel-emulator']}`];
      expect((await container.exec(plain)).exitCode).toBe(1);
    } finally {
      await container.stop({ timeout: 0 });
      await rm(folder, { recursive: true });
    }
  });

  it.each(TARGETS.filter((name) => name === 'console'))('the %s is healthy by its own check', async (target) => {
    const container = await new Watched(target).start();
    await container.stop({ timeout: 0 });
  });

  it('tools runs the command line', async () => {
    const said: string[] = [];
    const container = await new HardenedContainer(imageOf('tools'))
      .withCommand(['knowledge', 'describe'])
      .withLogConsumer((stream) => stream.on('data', (line: Buffer) => said.push(String(line))))
      .withWaitStrategy(Wait.forOneShotStartup())
      .start();
    await container.stop();
    expect(said.join('')).toContain('cifar10-ensemble');
  });
});
