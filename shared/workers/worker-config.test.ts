import { describe, expect, it } from 'vitest';
import { configOfWorker, rolesOf } from './worker-config.js';
import { coresOfWorker, partOfWorker, workerEnvironment, workerRole } from './worker-role.js';

const config = {
  listen: '0.0.0.0:50051',
  adminListen: 'off',
  metrics: { listen: '0.0.0.0:9464', linkLimit: 7 },
  workers: 3,
  workerPortStep: 10,
  other: 1,
};

describe('the workers of a service', () => {
  it('have ports a step apart, so that they never meet those of the other services', () => {
    expect(rolesOf(config).map(({ listen }) => listen)).toEqual(['0.0.0.0:50051', '0.0.0.0:50061', '0.0.0.0:50071']);
    expect(
      rolesOf({ ...config, listen: '[::1]:0', adminListen: '[::1]:70' }).map((role) => [role.listen, role.adminListen]),
    ).toEqual([
      ['[::1]:0', '[::1]:70'],
      ['[::1]:0', '[::1]:80'],
      ['[::1]:0', '[::1]:90'],
    ]);
    expect(() => rolesOf({ ...config, listen: 'a:65530' })).toThrow(/a:65530: a worker would listen on port 65540/);
  });

  it('know what they are from their environment, and share the cores', () => {
    const role = rolesOf(config)[2]!;
    const told = workerRole(workerEnvironment(role));
    expect(told).toEqual(role);
    expect(workerRole({})).toBeUndefined();
    expect(configOfWorker(config, told!)).toEqual({
      ...config,
      workers: 1,
      listen: '0.0.0.0:50071',
      metrics: { listen: '127.0.0.1:0', linkLimit: 7 },
    });
    expect(configOfWorker({ ...config, metrics: { listen: 'off' } }, role).metrics.listen).toBe('off');
    expect([8, 3, 2].map((cores) => coresOfWorker(cores, role))).toEqual([2, 1, 1]);
    expect(coresOfWorker(8, undefined)).toBe(8);
    expect([partOfWorker(100, role), partOfWorker(2, role), partOfWorker(100, undefined)]).toEqual([33, 0, 100]);
  });
});
