/** The services as containers on a private network, hardened as they would be in a cluster. */
import { createServer } from 'node:net';
import {
  type ContainerRuntimeClient,
  GenericContainer,
  Network,
  type StartedNetwork,
  type StartedTestContainer,
  Wait,
} from 'testcontainers';
import { type LinkAnswer, SemanticLink } from '../../shared/client/link.js';
import type { InstrumentedService } from '../../shared/telemetry/index.js';
import { errorOf } from '../integration/link.fixture.js';
import { imageOf } from './engine.fixture.js';

/** gRPC ports of the images. */
export const PORTS = {
  'transmitter-encoder': 50051,
  'channel-emulator': 50052,
  'receiver-decoder': 50053,
  'teacher-cache': 50054,
} as const;
export type ContainerRole = keyof typeof PORTS & InstrumentedService;

/** Read-only root file system, no capabilities, no new privileges: what restricted Pod Security asks for, and more. */
export class HardenedContainer extends GenericContainer {
  constructor(image: string) {
    super(image);
    this.hostConfig.ReadonlyRootfs = true;
    this.withTmpFs({ '/tmp': 'rw,noexec,nosuid,size=64m' });
    this.withDroppedCapabilities('ALL');
    this.withSecurityOpt('no-new-privileges');
  }
}

/** One service in a container, which keeps its address on this machine when it is started again. */
export interface ServiceContainer {
  readonly role: ContainerRole;
  readonly container: StartedTestContainer;
  /** `127.0.0.1:port`, from outside. */
  readonly address: string;
  /** Log lines so far, of all its starts. */
  readonly log: readonly string[];
}

/**
 * Starts a service and waits until it serves.
 *
 * @param flags its command line
 * @param image another than that of the CPU
 */
export async function startServiceContainer(
  role: ContainerRole,
  network: StartedNetwork,
  flags: readonly string[] = [],
  environment: Record<string, string> = {},
  image = imageOf(role),
): Promise<ServiceContainer> {
  const host = await freePort();
  const log: string[] = [];
  const container = await new HardenedContainer(image)
    .withNetwork(network)
    .withNetworkAliases(role)
    .withExposedPorts({ container: PORTS[role], host })
    .withCommand([...flags])
    .withEnvironment(environment)
    .withLogConsumer((stream) => stream.on('data', (line: Buffer) => log.push(String(line).trimEnd())))
    .withWaitStrategy(Wait.forLogMessage(/is serving/))
    .withStartupTimeout(60_000)
    .start();
  return { role, container, address: `127.0.0.1:${host}`, log };
}

/** The three services of a link. */
export interface ContainerLink {
  readonly network: StartedNetwork;
  readonly services: Record<Exclude<ContainerRole, 'teacher-cache'>, ServiceContainer>;
  /** A client's link that fails soon, with eight channel uses an image. */
  open(linkId: string, address?: string): SemanticLink;
  stop(): Promise<void>;
}

/** How long frames wait for a service that is down, ms. */
export const RECONNECT_WAIT_MS = 1_500;
/** How long they wait for an answer of one that is cut off, ms; shorter from hop to hop, so that each names its next. */
const FRAME_TIMEOUT_MS = { client: 8_000, 'transmitter-encoder': 6_000, 'channel-emulator': 4_000 };

/**
 * @param through addresses at which a service finds its next hop, where that is not the service itself
 */
export async function startContainerLink(
  through: { channel?: string; receiver?: string } = {},
  network?: StartedNetwork,
): Promise<ContainerLink> {
  const shared = network ?? (await new Network().start());
  const hop = (role: 'transmitter-encoder' | 'channel-emulator') => [
    ...['--reconnect-wait-ms', `${RECONNECT_WAIT_MS}`],
    ...['--frame-timeout-ms', `${FRAME_TIMEOUT_MS[role]}`],
  ];
  const { channel = 'channel-emulator:50052', receiver = 'receiver-decoder:50053' } = through;
  // None waits for its next hop, so all start at once.
  const [transmitterEncoder, channelEmulator, receiverDecoder] = await Promise.all([
    startServiceContainer('transmitter-encoder', shared, ['--channel', channel, ...hop('transmitter-encoder')]),
    startServiceContainer('channel-emulator', shared, ['--receiver', receiver, ...hop('channel-emulator')]),
    startServiceContainer('receiver-decoder', shared),
  ]);
  const services = {
    'transmitter-encoder': transmitterEncoder,
    'channel-emulator': channelEmulator,
    'receiver-decoder': receiverDecoder,
  };
  return {
    network: shared,
    services,
    open: (linkId, address = services['transmitter-encoder'].address) =>
      new SemanticLink({
        address,
        linkId,
        policy: { kind: 'fixed', channelUses: 8 },
        reconnectWaitMs: RECONNECT_WAIT_MS,
        timeoutMs: FRAME_TIMEOUT_MS.client,
      }),
    async stop() {
      await Promise.all(Object.values(services).map(({ container }) => container.stop({ timeout: 0 })));
      if (network === undefined) await shared.stop();
    },
  };
}

/** What went wrong, each sentence once: empty where every image came through. */
export function failures(answers: readonly LinkAnswer<unknown>[]): string[] {
  const errors = answers.map(({ result }) => errorOf(result)).filter((error) => error !== undefined);
  return [...new Set(errors.map(({ code, origin, message }) => `${code} from ${origin}: ${message}`))];
}

/** Faults, as the engine makes them. */
export class Faults {
  readonly #client: ContainerRuntimeClient;

  constructor(client: ContainerRuntimeClient) {
    this.#client = client;
  }

  /** SIGKILL, without warning. */
  async kill({ container }: ServiceContainer): Promise<void> {
    await this.#container(container).kill({ signal: 'SIGKILL' });
  }

  /** SIGTERM, as at a rolling update; resolves with the exit status. */
  async stop({ container }: ServiceContainer): Promise<number> {
    await this.#container(container).stop({ t: 30 });
    return (await this.#container(container).inspect()).State.ExitCode;
  }

  /** Starts again what was killed or stopped, on the address it had. */
  async start({ container }: ServiceContainer): Promise<void> {
    await this.#container(container).start();
  }

  /** Takes a container off its network: nothing reaches it, and nobody tells the others. */
  async disconnect({ container }: ServiceContainer, network: StartedNetwork): Promise<void> {
    await this.#client.container.dockerode
      .getNetwork(network.getId())
      .disconnect({ Container: container.getId(), Force: true });
  }

  async reconnect({ container, role }: ServiceContainer, network: StartedNetwork): Promise<void> {
    await this.#client.container.dockerode
      .getNetwork(network.getId())
      .connect({ Container: container.getId(), EndpointConfig: { Aliases: [role] } });
  }

  #container(started: StartedTestContainer) {
    return this.#client.container.dockerode.getContainer(started.getId());
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
