import { lookup as systemLookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { formatHostPort, parseHostPort } from '../config/address.js';

/** One address that calls can go to. */
export interface Endpoint {
  /** `host:port`, the host a number where it was a name before; or a target in a form of grpc-js's own. */
  readonly address: string;
  /** What it was called before it was resolved; undefined when it was not. */
  readonly name: string | undefined;
}

/** The addresses of a host name, in any order. Rejects when there is none. */
export type Lookup = (host: string) => Promise<readonly { address: string; family: number }[]>;

export interface TargetOptions {
  /** Default: the system's, so that /etc/hosts and the cluster's search domains count. */
  lookup?: Lookup;
  /** Names are looked up this often, milliseconds. Default 30,000; 0: only when `refresh` asks. */
  refreshMs?: number;
  /** The least time between two look-ups, milliseconds. Default 1,000. */
  leastGapMs?: number;
}

/**
 * A target as people write it: `host:port`, several of them with commas between, any of them a name with several
 * addresses. Numbers are known at once, names when they have been looked up; a name that fails later keeps the addresses
 * it had, for an outage of the name service is none of the peers. Where a name has IPv4 and IPv6 addresses only the former
 * count: a peer with both would count twice.
 */
export class Target {
  readonly text: string;
  readonly #fixed: Endpoint[] = [];
  readonly #names = new Map<string, readonly Endpoint[]>();
  readonly #lookup: Lookup;
  readonly #leastGapMs: number;
  readonly #listeners = new Set<() => void>();
  readonly #timer: NodeJS.Timeout | undefined;
  #endpoints: readonly Endpoint[] = [];
  #problem: string | undefined;
  #lastAt = Number.NEGATIVE_INFINITY;
  #next: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(text: string, options: TargetOptions = {}) {
    this.text = text;
    this.#lookup = options.lookup ?? ((host) => systemLookup(host, { all: true }));
    this.#leastGapMs = options.leastGapMs ?? 1_000;
    for (const part of targetParts(text)) {
      const host = hostOf(part);
      if (host === undefined || isIP(host)) this.#fixed.push({ address: part, name: undefined });
      else this.#names.set(part, []);
    }
    this.#gather();
    const refreshMs = options.refreshMs ?? 30_000;
    if (this.#names.size === 0) return;
    void this.#look();
    if (refreshMs > 0) this.#timer = setInterval(() => this.refresh(), refreshMs).unref();
  }

  /** Sorted by address, none twice. Empty until a name has been looked up. */
  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /** What is wrong with the names; undefined when nothing is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Hears of every change of `endpoints`. Returns what ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks the names up again: now, or once the least gap has passed. */
  refresh(): void {
    if (this.#names.size === 0 || this.#running || this.#next || this.#closed) return;
    const wait = this.#lastAt + this.#leastGapMs - performance.now();
    if (wait <= 0) {
      void this.#look();
      return;
    }
    this.#next = setTimeout(() => {
      this.#next = undefined;
      void this.#look();
    }, wait).unref();
  }

  /** Resolves when the look-up that is under way, if any, has ended. */
  async settled(): Promise<void> {
    await this.#running;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#next);
    this.#listeners.clear();
  }

  #look(): Promise<void> {
    this.#running ??= this.#lookAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #lookAll(): Promise<void> {
    let problem: string | undefined;
    await Promise.all(
      [...this.#names.keys()].map(async (name) => {
        const { host, port } = parseHostPort(name);
        try {
          this.#names.set(name, endpointsOf(name, port, await this.#lookup(host)));
        } catch (error) {
          problem = `the name ${host} has no address: ${error instanceof Error ? error.message : String(error)}`;
        }
      }),
    );
    this.#lastAt = performance.now();
    this.#problem = problem;
    if (!this.#closed && this.#gather()) for (const listener of [...this.#listeners]) listener();
    // A name that is not known yet is what everyone waits for.
    if (problem !== undefined && this.#endpoints.length === 0) setImmediate(() => this.refresh());
  }

  /** Whether anything changed. */
  #gather(): boolean {
    const all = new Map<string, Endpoint>();
    for (const endpoint of [...this.#fixed, ...[...this.#names.values()].flat()]) all.set(endpoint.address, endpoint);
    const endpoints = [...all.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
    const before = this.#endpoints;
    if (endpoints.length === before.length && endpoints.every(({ address }, i) => address === before[i]!.address)) {
      return false;
    }
    this.#endpoints = endpoints;
    return true;
  }
}

/** The parts of a comma list, without blanks, none twice. */
export function targetParts(text: string): string[] {
  // Other forms of grpc-js's own (dns:///a, unix:/run/b, ipv4:a,b) stay whole.
  if (/^(?:ipv[46]:|[a-z][a-z0-9+.-]*:\D)/i.test(text)) return [text];
  return [...new Set(text.split(',').map((part) => part.trim()))].filter((part) => part !== '');
}

function hostOf(part: string): string | undefined {
  try {
    return parseHostPort(part).host;
  } catch {
    return undefined;
  }
}

function endpointsOf(
  name: string,
  port: number,
  found: readonly { address: string; family: number }[],
): readonly Endpoint[] {
  const version4 = found.filter(({ family }) => family === 4);
  return (version4.length > 0 ? version4 : found).map(({ address }) => ({
    address: formatHostPort({ host: address, port }),
    name,
  }));
}
