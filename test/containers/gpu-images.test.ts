/**
 * The images of the GPU flavour on a machine without a GPU: they serve on the CPU and say so, and every CUDA library is
 * where a loader finds it. Nothing here builds them: they are 4 GB each.
 */
import { Network, type StartedNetwork, type StartedTestContainer, Wait } from 'testcontainers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SemanticLink } from '../../shared/client/link.js';
import { METRICS } from '../../shared/telemetry/index.js';
import { accuracyOf, sendAll, testImages } from '../integration/link.fixture.js';
import { parseExposition } from '../telemetry/exposition-parse.js';
import { failures, HardenedContainer, type ServiceContainer, startServiceContainer } from './containers.fixture.js';
import { gpuImageEngine, gpuImageOf } from './engine.fixture.js';

const ROLES = ['transmitter-encoder', 'receiver-decoder'] as const;
/** The emulator computes no models: of this flavour it is as of the other. */
const EMULATOR = 'channel-emulator';
const engine = await gpuImageEngine([...ROLES, EMULATOR]);

const GB = 1e9;
const LIMIT = 5 * GB;
/** Where the wheels' folders lie in an image. */
const NVIDIA = '/app/node_modules/@tensorflow/tfjs-node-gpu/deps/nvidia';
/** What TensorFlow and cuDNN load by these names while they run. */
const LOADED_BY_NAME = [
  ...['libcudart.so.12', 'libcublas.so.12', 'libcublasLt.so.12', 'libcudnn.so.9', 'libcufft.so.11', 'libcupti.so.12'],
  ...['libcusolver.so.11', 'libcusparse.so.12', 'libcurand.so.10', 'libnvJitLink.so.12', 'libnvrtc.so.12'],
  ...['libcudnn_ops.so.9', 'libcudnn_cnn.so.9', 'libcudnn_engines_runtime_compiled.so.9', 'libnccl.so.2'],
];

/** A service whose own health check runs every second. */
class Watched extends HardenedContainer {
  constructor(image: string) {
    super(image);
    this.createOpts.Healthcheck = { Interval: 1e9 };
    this.withWaitStrategy(Wait.forHealthCheck());
  }
}

describe.skipIf(engine === undefined)('the images for GPUs, where there is none', { timeout: 180_000 }, () => {
  it.each(ROLES)('%s is within its size, not root, and of the GPU flavour', async (role) => {
    const { Size, Config } = await engine!.container.dockerode.getImage(gpuImageOf(role)).inspect();
    expect(Size).toBeGreaterThan(2 * GB);
    expect(Size).toBeLessThan(LIMIT);
    expect(Config.User).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(Config.Labels['org.semlink.flavour']).toBe('gpu');
    expect(Config.Env).toContain('NVIDIA_VISIBLE_DEVICES=all');
  });

  describe('inside', () => {
    let container: StartedTestContainer;
    beforeAll(async () => {
      container = await new HardenedContainer(gpuImageOf('receiver-decoder'))
        .withEntrypoint(['node', '-e', 'setInterval(() => {}, 1000)'])
        .start();
    }, 120_000);
    afterAll(async () => {
      await container?.stop({ timeout: 0 });
    });
    const evaluate = async (program: string): Promise<unknown> => {
      const { output, exitCode } = await container.exec(['node', '--input-type=module', '-e', program]);
      if (exitCode !== 0) throw new Error(output);
      // TensorFlow says things of its own before.
      return JSON.parse(output.trim().split('\n').at(-1)!);
    };
    /** Has the system's loader load each, all symbols resolved; what it says of those that it cannot. */
    const loaderSays = (files: string) =>
      evaluate(`
        import os from 'node:os';
        import { existsSync, readdirSync } from 'node:fs';
        const files = ${files};
        const said = {};
        for (const file of files) {
          try { process.dlopen({ exports: {} }, file, os.constants.dlopen.RTLD_NOW); }
          // Loaded, and no module of Node.js, is what such a library is to be.
          catch (error) { if (!/did not self-register/.test(error.message)) said[file] = error.message; }
        }
        console.log(JSON.stringify({ count: files.length, said }));`);

    it('every CUDA library loads, with all that it needs', async () => {
      const all = `readdirSync('${NVIDIA}').flatMap((folder) => {
        const lib = '${NVIDIA}/' + folder + '/lib';
        return existsSync(lib) ? readdirSync(lib).filter((name) => /\\.so/.test(name)).map((name) => lib + '/' + name) : [];
      })`;
      const { count, said } = (await loaderSays(all)) as { count: number; said: object };
      expect(count).toBeGreaterThan(20);
      expect(said).toEqual({});
    });

    it('the loader finds them by name, as they are asked for at run time', async () => {
      expect(await loaderSays(JSON.stringify(LOADED_BY_NAME))).toEqual({ count: LOADED_BY_NAME.length, said: {} });
    });

    it('TensorFlow is the build for GPUs, and computes on the CPU', async () => {
      const answer = await evaluate(`
        const { loadTensorFlow, nativeBackend } = await import('/app/dist/shared/tensor/native.js');
        const tf = loadTensorFlow();
        const product = tf.matMul(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor2d([[5, 6], [7, 8]]));
        const { isUsingGpuDevice } = nativeBackend(tf);
        console.log(JSON.stringify([tf.getBackend(), isUsingGpuDevice, ...product.dataSync()]));`);
      expect(answer).toEqual(['tensorflow', false, 19, 22, 43, 50]);
    });

    it('nothing can be written but below /tmp', async () => {
      expect(
        await evaluate(`
          import { writeFileSync } from 'node:fs';
          const written = ['/app/x', '/x', '${NVIDIA}/x', '/tmp/x'].filter((path) => {
            try { writeFileSync(path, ''); return true; } catch { return false; }
          });
          console.log(JSON.stringify(written));`),
      ).toEqual(['/tmp/x']);
    });
  });

  describe('a link of them', () => {
    let network: StartedNetwork;
    let transmitter: ServiceContainer;
    let receiver: ServiceContainer;
    const started: ServiceContainer[] = [];
    beforeAll(async () => {
      network = await new Network().start();
      const images = ROLES.map(gpuImageOf);
      // One as it decides by itself, one with the TensorFlow that is in the image for GPUs.
      const own = { SEMLINK_RECEIVER_DECODER_ENGINE_BACKEND: 'tensorflow' };
      const next = ['--channel', `${EMULATOR}:50052`];
      [transmitter, receiver] = await Promise.all([
        startServiceContainer('transmitter-encoder', network, next, {}, images[0]),
        startServiceContainer('receiver-decoder', network, [], own, images[1]),
      ]);
      const onward = ['--receiver', 'receiver-decoder:50053'];
      const emulator = await startServiceContainer(EMULATOR, network, onward, {}, gpuImageOf(EMULATOR));
      started.push(transmitter, receiver, emulator);
    }, 180_000);
    afterAll(async () => {
      await Promise.all(started.map(({ container }) => container.stop({ timeout: 0 })));
      await network?.stop();
    });

    it('says in its log and in its metrics what computes, and that it is the CPU', async () => {
      const seen = await Promise.all(
        [transmitter, receiver].map(async ({ container, log }, i) => {
          const url = `http://127.0.0.1:${[9464, 9466][i]}/metrics`;
          const program = `console.log(await (await fetch('${url}')).text())`;
          const { output } = await container.exec(['node', '--input-type=module', '-e', program]);
          const { samples } = parseExposition(output.trim().concat('\n'));
          const { labels, value } = samples.find(({ name }) => name === METRICS.engineInfo.name)!;
          return { labels, value, said: log.find((line) => line.includes('models are computed by')) };
        }),
      );
      expect(seen).toMatchObject([
        { labels: { backend: 'onnxruntime', device: 'cpu' }, value: 1 },
        { labels: { backend: 'tensorflow', device: 'cpu' }, value: 1 },
      ]);
      expect(seen[0]!.said).toContain('ONNX Runtime on the CPU: no NVIDIA GPU is visible here');
      expect(seen[1]!.said).toContain('TensorFlow on the CPU: no NVIDIA GPU is visible here');
    });

    it('carries images', async () => {
      const link = new SemanticLink({
        address: transmitter.address,
        linkId: 'gpu-images',
        policy: { kind: 'fixed', channelUses: 8 },
      });
      const answers = await sendAll(link, await testImages(1_000));
      await link.close();
      expect(failures(answers)).toEqual([]);
      // 8 channel uses at 10 dB of block Rayleigh fading; chance is 0.1.
      expect(accuracyOf(answers)).toBeGreaterThan(0.6);
    });
  });

  it.each(ROLES)('%s is healthy by its own check', async (role) => {
    const container = await new Watched(gpuImageOf(role)).start();
    await container.stop({ timeout: 0 });
  });
});
