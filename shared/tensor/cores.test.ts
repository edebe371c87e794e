import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { availableCores, quotaOf } from './cores.js';

describe('cores of a container', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(path.join(os.tmpdir(), 'semlink-cgroup-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const write = (file: string, text: string) => {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), `${text}\n`);
  };
  const files = () => ({ membership: path.join(root, 'membership'), mount: path.join(root, 'sys') });

  it('are the least quota on the way up (version 2)', () => {
    write('membership', '0::/kubepods/pod-1/container');
    write('sys/kubepods/pod-1/container/cpu.max', 'max 100000');
    write('sys/kubepods/pod-1/cpu.max', '150000 100000');
    write('sys/kubepods/cpu.max', '800000 100000');
    expect(quotaOf(files())).toBe(1.5);
  });

  it('are those of the mount where the path is that of the host', () => {
    write('membership', '0::/some/path/of/the/host');
    write('sys/cpu.max', '50000 100000');
    expect(quotaOf(files())).toBe(0.5);
    expect(availableCores(files())).toBe(1);
  });

  it('are the quota of version 1', () => {
    write('membership', '7:memory:/a\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/');
    write('sys/cpu/docker/abc/cpu.cfs_quota_us', '300000');
    write('sys/cpu/docker/abc/cpu.cfs_period_us', '100000');
    write('sys/cpu/cpu.cfs_quota_us', '-1');
    expect(quotaOf(files())).toBe(3);
  });

  it('are all that the process may run on without a quota, or where there are no control groups', () => {
    write('membership', '0::/');
    write('sys/cpu.max', 'max 100000');
    expect(quotaOf(files())).toBe(Number.POSITIVE_INFINITY);
    expect(availableCores(files())).toBe(os.availableParallelism());
    expect(availableCores({ membership: '/no/such/file', mount: '/no/such/folder' })).toBe(os.availableParallelism());
  });
});
