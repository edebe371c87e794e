import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';

/** Where the kernel tells a process of its control groups; another one in tests. */
export interface CgroupFiles {
  /** Default /proc/self/cgroup. */
  membership?: string;
  /** Default /sys/fs/cgroup. */
  mount?: string;
}

/**
 * Cores this process may use: those it may be scheduled on, or fewer where its container has a quota of processor time.
 * At least 1; a part of a core counts as one.
 */
export function availableCores(files: CgroupFiles = {}): number {
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(quotaOf(files))));
}

/** The least quota of the process's own control group and those above it, cores; Infinity: none. */
export function quotaOf({ membership = '/proc/self/cgroup', mount = '/sys/fs/cgroup' }: CgroupFiles): number {
  const lines = read(membership)?.split('\n') ?? [];
  const own = (controller: string) =>
    lines.find((line) => line.split(':')[1]?.split(',').includes(controller))?.split(':')[2] ?? '/';
  let least = Number.POSITIVE_INFINITY;
  // Version 2: "max 100000" or "150000 100000", microseconds a period.
  for (const folder of upwards(mount, own(''))) {
    const [quota, period] = read(path.join(folder, 'cpu.max'))?.split(' ') ?? [];
    if (quota !== undefined && quota !== 'max') least = Math.min(least, Number(quota) / Number(period));
  }
  // Version 1: -1 is none.
  const mountV1 = [path.join(mount, 'cpu'), path.join(mount, 'cpu,cpuacct')].find((folder) => existsSync(folder));
  for (const folder of mountV1 === undefined ? [] : upwards(mountV1, own('cpu'))) {
    const quota = Number(read(path.join(folder, 'cpu.cfs_quota_us')) ?? -1);
    const period = Number(read(path.join(folder, 'cpu.cfs_period_us')) ?? 0);
    if (quota > 0 && period > 0) least = Math.min(least, quota / period);
  }
  return Number.isFinite(least) && least > 0 ? least : Number.POSITIVE_INFINITY;
}

/** mount/a/b, mount/a, mount. In a container the path may be the host's: then only the mount itself is there. */
function upwards(mount: string, group: string): string[] {
  const folders: string[] = [];
  for (let at = path.posix.normalize(group); ; at = path.posix.dirname(at)) {
    folders.push(path.join(mount, at));
    if (at === '/' || at === '.') return folders;
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}
