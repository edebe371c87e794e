import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What processes have used, with all that they have started. */
export interface Usage {
  /** Processor time, user and system, since they began. */
  processorSeconds: number;
  /** Memory they hold now. */
  residentBytes: number;
}

let ticks: number | undefined;

/** Clock ticks a second of /proc. */
function ticksPerSecond(): number {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ticks;
}

/**
 * Sums what processes and all their living descendants have used, from /proc; processes that have gone count nothing.
 *
 * @throws Error where there is no /proc
 */
export function usageOf(pids: readonly number[]): Usage {
  const children = new Map<number, number[]>();
  const seconds = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(`/proc/${name}/stat`);
    // The name before it may hold blanks and brackets.
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (!fields) continue;
    const pid = Number(name);
    const parent = Number(fields[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
    seconds.set(pid, (Number(fields[11]) + Number(fields[12])) / ticksPerSecond());
  }
  const usage: Usage = { processorSeconds: 0, residentBytes: 0 };
  const todo = [...pids];
  const seen = new Set<number>();
  for (let pid = todo.pop(); pid !== undefined; pid = todo.pop()) {
    if (seen.has(pid)) continue;
    seen.add(pid);
    usage.processorSeconds += seconds.get(pid) ?? 0;
    usage.residentBytes += residentBytes(pid);
    todo.push(...(children.get(pid) ?? []));
  }
  return usage;
}

function residentBytes(pid: number): number {
  const found = /VmRSS:\s+(\d+) kB/.exec(read(`/proc/${pid}/status`) ?? '');
  return found ? Number(found[1]) * 1024 : 0;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
