/** What a worker is told by the process that started it. */
export interface WorkerRole {
  /** 0 to count - 1. */
  readonly index: number;
  readonly count: number;
  /** Where to serve gRPC, and control where it has an address of its own. */
  readonly listen: string;
  readonly adminListen?: string | undefined;
}

const variable = 'SEMLINK_WORKER';

/** The environment of a worker. */
export function workerEnvironment(role: WorkerRole): Record<string, string> {
  return { [variable]: JSON.stringify(role) };
}

/** What this process is as a worker; undefined: it is none. */
export function workerRole(environment: NodeJS.ProcessEnv = process.env): WorkerRole | undefined {
  const text = environment[variable];
  return text ? (JSON.parse(text) as WorkerRole) : undefined;
}

/** A worker's part of what the workers of a service share; all of it where this process is none. */
export function partOfWorker(whole: number, role: WorkerRole | undefined = workerRole()): number {
  return Math.floor(whole / (role?.count ?? 1));
}

/** A worker's part of `cores`, at least one: the workers of a service share what there is. */
export function coresOfWorker(cores: number, role: WorkerRole | undefined = workerRole()): number {
  return Math.max(1, partOfWorker(cores, role));
}
