import { Network, type StartedNetwork } from 'testcontainers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SemanticLink } from '../../shared/client/link.js';
import { Code } from '../../shared/rpc/errors.js';
import { errorOf, sendAll, type TestImage, testImages } from '../integration/link.fixture.js';
import { untilWorking } from '../integration/restartable-link.fixture.js';
import { type ContainerLink, failures, startContainerLink } from './containers.fixture.js';
import { containerEngine } from './engine.fixture.js';
import { BUILD_LIMIT_MS, goTool } from './go-tools.fixture.js';
import { type ProxiedHop, startToxiproxy, type Toxiproxy } from './toxiproxy.fixture.js';

const engine = await containerEngine();
const program = engine && (await goTool('toxiproxy-server'));
const HOPS = ['client to transmitter', 'transmitter to emulator', 'emulator to receiver'] as const;

describe.skipIf(program === undefined)('a link of containers over bad lines', { timeout: 120_000 }, () => {
  let network: StartedNetwork;
  let proxy: Toxiproxy;
  let hops: ProxiedHop[];
  let link: ContainerLink;
  let client: SemanticLink;
  let images: TestImage[];
  beforeAll(async () => {
    images = await testImages(600);
    network = await new Network().start();
    proxy = await startToxiproxy(program!, network, HOPS.length);
    hops = [
      await proxy.hop('transmitter', 'transmitter-encoder:50051'),
      await proxy.hop('emulator', 'channel-emulator:50052'),
      await proxy.hop('receiver', 'receiver-decoder:50053'),
    ];
    link = await startContainerLink({ channel: hops[1]!.inside, receiver: hops[2]!.inside }, network);
    client = link.open('hops', hops[0]!.outside);
    await untilWorking(client, images[0]!);
  }, BUILD_LIMIT_MS);
  afterAll(async () => {
    await client?.close();
    await link?.stop();
    await proxy?.stop();
    await network?.stop();
  });
  beforeEach(() => proxy.reset());

  it.each(HOPS.map((name, index) => [name, index] as const))(
    '%s slow: every image comes through, later by the delay',
    async (_, index) => {
      // One by one: many at once need several round trips, for a window of HTTP/2 is 64 KiB.
      const latencies = async () => {
        const seconds: number[] = [];
        for (const image of images.slice(0, 10)) {
          const { result, latencySeconds } = await client.classify(image);
          expect(errorOf(result)).toBeUndefined();
          seconds.push(latencySeconds);
        }
        return Math.min(...seconds);
      };
      const before = await latencies();
      await hops[index]!.add({ type: 'latency', stream: 'upstream', attributes: { latency: 150 } });
      await hops[index]!.add({ type: 'latency', stream: 'downstream', attributes: { latency: 150 } });
      const after = await latencies();
      expect(after - before).toBeGreaterThan(0.29);
      expect(after - before).toBeLessThan(0.6);
    },
  );

  it.each([
    // Bytes of an image on the way: 3 * 32 * 32 pixels, or eight symbols with their header.
    [HOPS[0], 0, 3_072, 400],
    [HOPS[1], 1, 50, 10],
    [HOPS[2], 2, 100, 30],
  ] as const)('%s narrow: every image comes through, no faster than the line', async (_, index, bytes, rate) => {
    await hops[index]!.add({ type: 'bandwidth', stream: 'upstream', attributes: { rate } });
    const started = performance.now();
    const answers = await sendAll(client, images);
    const seconds = (performance.now() - started) / 1000;
    expect(failures(answers)).toEqual([]);
    // What the sockets take in at once goes out before the line is felt.
    expect(seconds).toBeGreaterThan((0.5 * (images.length * bytes)) / (rate * 1000));
  });

  it.each(HOPS.map((name, index) => [name, index] as const))(
    '%s cut: every image is answered, and all come through when it is mended',
    async (_, index) => {
      // Slow enough that most images are still to come when the line is cut.
      await hops[index]!.add({ type: 'latency', stream: 'upstream', attributes: { latency: 200 } });
      let mended: Promise<void> | undefined;
      const answers = await sendAll(client, images, (count) => {
        if (count !== 1) return;
        mended = hops[index]!.cut().then(async () => {
          await new Promise((resolve) => setTimeout(resolve, 2_500));
          await hops[index]!.restore();
        });
      });
      await mended;
      const errors = answers.map(({ result }) => errorOf(result)).filter((error) => error !== undefined);
      expect(errors.length).toBeGreaterThan(0);
      for (const { code } of errors) expect([Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED]).toContain(code);
      await proxy.reset();
      await untilWorking(client, images[0]!);
      const after = await sendAll(client, images.slice(0, 200));
      expect(failures(after)).toEqual([]);
    },
  );
});
