/** A real toxiproxy in a container of the test's network: every hop through it can be slowed, narrowed and cut. */
import { type StartedNetwork, type StartedTestContainer, Wait } from 'testcontainers';
import { HardenedContainer } from './containers.fixture.js';
import { imageOf } from './engine.fixture.js';

const API = 8474;
const ALIAS = 'toxiproxy';

/** What can be done to one direction of a hop; `stream`: down is towards who called. */
export type Toxic =
  | { type: 'latency'; stream: 'upstream' | 'downstream'; attributes: { latency: number; jitter?: number } }
  | { type: 'bandwidth'; stream: 'upstream' | 'downstream'; attributes: { rate: number } };

/** One hop through the proxy. */
export interface ProxiedHop {
  readonly name: string;
  /** Where the caller finds it inside the network. */
  readonly inside: string;
  /** Where it is found from this machine. */
  readonly outside: string;
  /** Adds a toxic; latency in ms, rate in KB/s. */
  add(toxic: Toxic): Promise<void>;
  /** Closes all connections and takes no new ones, until `restore`. */
  cut(): Promise<void>;
  restore(): Promise<void>;
}

export interface Toxiproxy {
  /** @param upstream `host:port` inside the network */
  hop(name: string, upstream: string): Promise<ProxiedHop>;
  /** Takes off all toxics and restores all hops. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * @param program toxiproxy's server, statically linked: it runs on the base of an image that is there
 * @param hops how many `hop` will be asked for at most
 */
export async function startToxiproxy(program: string, network: StartedNetwork, hops: number): Promise<Toxiproxy> {
  const ports = Array.from({ length: hops }, (_, index) => API + 1 + index);
  const container: StartedTestContainer = await new HardenedContainer(imageOf('channel-emulator'))
    .withBindMounts([{ source: program, target: '/toxiproxy', mode: 'ro' }])
    .withEntrypoint(['/toxiproxy', '-host', '0.0.0.0', '-port', `${API}`])
    .withNetwork(network)
    .withNetworkAliases(ALIAS)
    .withExposedPorts(API, ...ports)
    // The only port that listens yet.
    .withWaitStrategy(Wait.forHttp('/version', API))
    .start();
  const url = `http://127.0.0.1:${container.getMappedPort(API)}`;
  const post = async (path: string, body: unknown): Promise<void> => {
    const response = await fetch(url + path, { method: 'POST', body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`toxiproxy ${path}: ${response.status} ${await response.text()}`);
  };
  return {
    async hop(name, upstream) {
      const port = ports.shift();
      if (port === undefined) throw new Error(`more than ${hops} hops`);
      await post('/proxies', { name, listen: `0.0.0.0:${port}`, upstream });
      return {
        name,
        inside: `${ALIAS}:${port}`,
        outside: `127.0.0.1:${container.getMappedPort(port)}`,
        add: (toxic) => post(`/proxies/${name}/toxics`, toxic),
        cut: () => post(`/proxies/${name}`, { enabled: false }),
        restore: () => post(`/proxies/${name}`, { enabled: true }),
      };
    },
    reset: () => post('/reset', {}),
    async stop() {
      await container.stop({ timeout: 0 });
    },
  };
}
