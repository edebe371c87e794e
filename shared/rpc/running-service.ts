import { formatHostPort } from '../config/index.js';
import {
  type InstrumentedService,
  type ServiceName,
  startTelemetry,
  type Telemetry,
  type TelemetryConfig,
} from '../telemetry/index.js';
import type { ServiceImplementation } from './adapter.js';
import { DrainList } from './drain-list.js';
import type { SemlinkError } from './errors.js';
import { type ServerHandle, startServer } from './server.js';
import { type ServerConfig, serverOptions } from './server-config.js';
import { serverCredentials } from './tls.js';

/** A service that takes frames, or keeps knowledge. */
export interface RunningService<Role extends InstrumentedService = ServiceName> {
  readonly role: Role;
  /** `host:port` of gRPC. */
  readonly address: string;
  /** `host:port` of gRPC for control, when it has one of its own. */
  readonly adminAddress: string | undefined;
  /** `host:port` of /metrics, /healthz and /readyz; undefined when off. */
  readonly metricsAddress: string | undefined;
  readonly telemetry: Telemetry;
  /** Stops it: NOT_SERVING, streams finish, then all is let go. Resolves whether everything had ended in time. */
  drain(): Promise<boolean>;
}

/** What a service brings along besides its configuration. */
export interface ServiceParts {
  services: ServiceImplementation[];
  /** Services on an address of their own, which lives as long as the first. */
  admin?: { listen: string; services: ServiceImplementation[] };
  /** Why the service cannot take frames at the moment; undefined: it can. */
  notReady?: () => string | undefined;
  /** Lets go of what was opened; after the last stream has ended. */
  stop?: () => Promise<void>;
}

/**
 * Starts telemetry, then the service's own parts (a slow step such as loading models belongs there), then gRPC, which
 * is therefore SERVING only when frames can be taken.
 *
 * @param options.processMetrics false for the second and later services of one process
 * @throws Error with a sentence when an address cannot be listened on or a part fails; nothing stays open then
 */
export async function startService<Role extends InstrumentedService>(options: {
  role: Role;
  config: ServerConfig & TelemetryConfig;
  processMetrics?: boolean | undefined;
  parts: (context: { telemetry: Telemetry; drains: DrainList }) => Promise<ServiceParts>;
}): Promise<RunningService<Role>> {
  const { role, config } = options;
  const telemetry = await startTelemetry({
    service: role,
    config,
    processMetrics: options.processMetrics ?? true,
  });
  const drains = new DrainList();
  let parts: ServiceParts | undefined;
  const servers: ServerHandle[] = [];
  try {
    parts = await options.parts({ telemetry, drains });
    const credentials = await serverCredentials(config.tls);
    const common = {
      role,
      ...(credentials && { credentials }),
      ...serverOptions(config),
      drains,
      onInternalError: (method: string, error: SemlinkError) =>
        telemetry.logger.error({ error: error.cause ?? error }, `${method} failed`),
    };
    servers.push(await startServer({ ...common, services: parts.services }));
    if (parts.admin) servers.push(await startServer({ ...common, ...parts.admin }));
  } catch (error) {
    for (const server of servers) await server.drain();
    await parts?.stop?.();
    await telemetry.stop(0);
    throw error;
  }
  const [server, admin] = servers as [ServerHandle, ServerHandle?];
  const adminAddress = admin?.address;
  const metricsAddress = telemetry.server && formatHostPort(telemetry.server);
  let draining = false;
  telemetry.metrics.trackDraining(() => draining);
  const { notReady } = parts;
  telemetry.setReadiness(() => {
    const reason = draining ? 'draining' : notReady?.();
    return reason === undefined ? { ready: true } : { ready: false, reason };
  });
  // What probes gRPC hears of an engine that has failed, too.
  const watch = setInterval(() => {
    if (!draining) for (const one of servers) one.setServing(notReady?.() === undefined);
  }, HEALTH_MS).unref();
  telemetry.logger.info(
    { address: server.address, admin: adminAddress, metrics: metricsAddress },
    `${role} is serving`,
  );
  return {
    role,
    address: server.address,
    adminAddress,
    metricsAddress,
    telemetry,
    async drain() {
      draining = true;
      clearInterval(watch);
      const clean = (await Promise.all(servers.map((one) => one.drain()))).every((one) => one);
      await parts.stop?.();
      await telemetry.stop(TELEMETRY_LIMIT_MS);
      return clean;
    },
  };
}

/** How often health is looked at, ms. */
const HEALTH_MS = 1_000;

/** How long the last spans of a drain may take, ms. */
const TELEMETRY_LIMIT_MS = 2_000;
