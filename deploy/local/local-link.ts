import type { InstrumentedService, ServiceName } from '../../shared/telemetry/index.js';

/** One service of a link on this machine. */
export interface LocalService<R extends InstrumentedService = ServiceName> {
  role: R;
  /** `host:port` of gRPC. */
  address: string;
  /** `host:port` of gRPC for control, when it has one of its own. */
  adminAddress: string | undefined;
  /** `host:port` of /metrics, /healthz and /readyz; undefined when off. */
  metricsAddress: string | undefined;
}

/** A whole link running on this machine. */
export interface LocalLink {
  services: Record<ServiceName, LocalService>;
  /** Resolves with a sentence when a service ends that was not told to. */
  failed: Promise<string>;
  /** Drains all of it, transmitter first; resolves whether everything had ended in time. */
  stop(): Promise<boolean>;
}

/** Values by service and option key, over environment and defaults: `{ 'channel-emulator': { seed: 1 } }`. */
export type Overrides = Partial<Record<ServiceName, Record<string, unknown>>>;
