import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { hostPort } from './address.js';
import { type ConfigOf, defineConfig } from './define.js';
import { ConfigError } from './error.js';
import { loadConfig } from './load.js';
import { group, option } from './option.js';

const definition = defineConfig({
  name: 'test-service',
  description: 'A service made for this test.',
  fields: {
    listen: option(hostPort().default('127.0.0.1:50051'), { description: 'Where to listen.' }),
    policy: option(z.enum(['fixed', 'budget']).default('fixed'), { description: 'How k is chosen.' }),
    snrDb: option(z.array(z.number().min(-40).max(60)).default([0, 10]), {
      description: 'SNRs to try.',
      unit: 'dB',
      alias: 'snr',
    }),
    verbose: option(z.boolean().default(false), { description: 'Say more.' }),
    token: option(z.string().min(8).optional(), { description: 'A password.', secret: true }),
    threads: option(z.union([z.literal('auto'), z.int().min(1)]).default('auto'), { description: 'Threads.' }),
    queue: group({
      maxBytes: option(
        z
          .int()
          .min(1024)
          .max(2 ** 30)
          .default(65536),
        { description: 'Most waiting.', unit: 'bytes' },
      ),
      delay: option(z.number().min(0).default(2), { description: 'Longest wait.', unit: 'ms' }),
    }),
  },
});
type Config = ConfigOf<typeof definition>;

function resolve(input: Parameters<typeof loadConfig>[1]): Config {
  const loaded = loadConfig(definition, input);
  if (loaded.text !== undefined) throw new Error(`printed instead: ${loaded.text}`);
  return loaded.config;
}

function problems(input: Parameters<typeof loadConfig>[1]): readonly string[] {
  try {
    loadConfig(definition, input);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('nothing was wrong');
}

let folder: string;
const file = (content: unknown) => {
  const name = join(folder, 'config.json');
  writeFileSync(name, typeof content === 'string' ? content : JSON.stringify(content));
  return name;
};
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'semlink-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('where values come from', () => {
  test('a flag has a second name where one is given, told by --help', () => {
    expect(resolve({ argv: ['--snr', '3', '--snr-db', '4'] }).snrDb).toEqual([3, 4]);
    expect(loadConfig(definition, { argv: ['--help'] }).text).toContain(' · or --snr · ');
    const twice = {
      a: option(z.string(), { description: 'A.', alias: 'b' }),
      b: option(z.string(), { description: 'B.' }),
    };
    expect(() => defineConfig({ name: 'x', description: 'X.', fields: twice })).toThrow('are both --b');
  });

  test('defaults, also inside a group that nothing mentions', () => {
    const config = resolve({});
    expect(config.queue).toEqual({ maxBytes: 65536, delay: 2 });
    expect(config.token).toBeUndefined();
    expect(Object.isFrozen(config.queue)).toBe(true);
  });

  test('flags beat the environment, which beats the file, which beats the default', () => {
    const name = file({ queue: { maxBytes: 2048, delay: 5 }, policy: 'budget', verbose: true });
    const env = { SEMLINK_TEST_SERVICE_QUEUE_MAX_BYTES: '4096', SEMLINK_TEST_SERVICE_QUEUE_DELAY: '6' };
    const loaded = loadConfig(definition, { argv: ['--config', name, '--queue-max-bytes=8KiB', '--no-verbose'], env });
    expect(loaded.config?.queue).toEqual({ maxBytes: 8192, delay: 6 });
    expect(loaded.config?.policy).toBe('budget');
    expect(loaded.config?.verbose).toBe(false);
    expect(loaded.sources?.get('queue.maxBytes')).toEqual({ from: 'flag', name: '--queue-max-bytes' });
    expect(loaded.sources?.get('queue.delay')).toEqual({
      from: 'environment',
      name: 'SEMLINK_TEST_SERVICE_QUEUE_DELAY',
    });
    expect(loaded.sources?.get('policy')).toEqual({ from: 'file', name });
    expect(loaded.sources?.get('listen')?.from).toBe('default');
  });

  test('a file can be named by the environment, and an empty variable is an unset one', () => {
    const env = { SEMLINK_TEST_SERVICE_CONFIG: file({ policy: 'budget' }), SEMLINK_TEST_SERVICE_POLICY: '' };
    expect(resolve({ env }).policy).toBe('budget');
  });

  test('an embedding program beats all', () => {
    expect(resolve({ argv: ['--listen', 'a:1'], overrides: { listen: '127.0.0.1:0' } }).listen).toBe('127.0.0.1:0');
  });
});

describe('reading text as values', () => {
  test('lists, negative numbers, repeated flags, durations, literals', () => {
    expect(resolve({ argv: ['--snr-db', '-6,0, 20'] }).snrDb).toEqual([-6, 0, 20]);
    expect(resolve({ argv: ['--snr-db', '-6', '--snr-db=3dB'] }).snrDb).toEqual([-6, 3]);
    expect(resolve({ argv: ['--queue-delay', '1.15s'] }).queue.delay).toBe(1150);
    expect(resolve({ argv: ['--queue-delay', '250us'] }).queue.delay).toBe(0.25);
    expect(resolve({ argv: ['--threads', '4'] }).threads).toBe(4);
    expect(resolve({ argv: ['--threads', 'auto'] }).threads).toBe('auto');
    expect(resolve({ argv: ['--verbose'] }).verbose).toBe(true);
    expect(resolve({ env: { SEMLINK_TEST_SERVICE_VERBOSE: 'off' } }).verbose).toBe(false);
  });

  test('every number survives the way through any source', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1024, max: 2 ** 30 }), (bytes) => {
        const name = file({ queue: { maxBytes: bytes } });
        expect(resolve({ argv: ['--queue-max-bytes', String(bytes)] }).queue.maxBytes).toBe(bytes);
        expect(resolve({ env: { SEMLINK_TEST_SERVICE_QUEUE_MAX_BYTES: `${bytes}B` } }).queue.maxBytes).toBe(bytes);
        expect(resolve({ file: name }).queue.maxBytes).toBe(bytes);
      }),
      { numRuns: 30 },
    );
  });
});

describe('what is wrong is said', () => {
  test('unknown flag, with the likely one', () => {
    expect(problems({ argv: ['--lisen', 'a:1'] })).toEqual([
      'Unknown flag --lisen. Did you mean --listen? --help lists all flags.',
    ]);
  });

  test('value, range, unit and origin', () => {
    expect(problems({ argv: ['--queue-max-bytes', '5'] })).toEqual([
      '--queue-max-bytes: "5" is not allowed; expected whole number of bytes, 1024 to 1073741824.',
    ]);
    expect(problems({ env: { SEMLINK_TEST_SERVICE_POLICY: 'best' } })).toEqual([
      'SEMLINK_TEST_SERVICE_POLICY (environment): "best" is not allowed; expected one of fixed, budget.',
    ]);
    const name = file({ listen: 'nowhere', queue: { maxBytse: 1 }, polcy: 1 });
    expect(problems({ file: name })).toEqual([
      `Unknown option "queue.maxBytse" in ${name}. Did you mean "queue.maxBytes"?`,
      `Unknown option "polcy" in ${name}. Did you mean "policy"?`,
      `"listen" in ${name}: "nowhere" is not allowed; expected host:port, port 0 to 65535 (0: any free port), IPv6 as [::1]:port.`,
    ]);
  });

  test('wrong form, wrong unit, forgotten value, stray argument', () => {
    expect(problems({ argv: ['--queue-delay', 'soon'] })[0]).toContain('"soon" is not a number; expected number of ms');
    expect(problems({ argv: ['--queue-delay', '3 weeks'] })[0]).toContain('unknown unit; known units: ns, us, ms, s');
    expect(problems({ argv: ['--listen', '--verbose'] })[0]).toContain('--listen needs a value after it');
    expect(problems({ argv: ['--policy'] })[0]).toContain('--policy needs a value after it');
    expect(problems({ argv: ['fixed'] })[0]).toContain('Unexpected argument "fixed"');
  });

  test('a file that is missing, broken or no object', () => {
    expect(problems({ argv: ['--config', join(folder, 'absent.json')] })[0]).toContain('ENOENT');
    expect(problems({ file: file('{') })[0]).toContain('Cannot read the configuration file');
    expect(problems({ file: file([]) })[0]).toContain('must hold one JSON object');
  });

  test('a secret is never shown', () => {
    const [problem] = problems({ argv: ['--token', 'hunter2'] });
    expect(problem).toContain('--token: *** is not allowed');
    expect(problem).not.toContain('hunter2');
    const printed = loadConfig(definition, { argv: ['--token', 'hunter2hunter2', '--print-config'] }).text;
    expect(printed).not.toContain('hunter2');
  });

  test('all problems at once', () => {
    expect(problems({ argv: ['--policy', 'x', '--queue-delay', 'y'] })).toHaveLength(2);
  });

  test('a misspelt variable warns, one that Kubernetes sets does not', () => {
    const env = { SEMLINK_TEST_SERVICE_POLICI: 'x', SEMLINK_TEST_SERVICE_PORT_50051_TCP: 'y' };
    const loaded = loadConfig(definition, { env });
    expect(loaded.text === undefined && loaded.warnings).toEqual([
      'The environment variable SEMLINK_TEST_SERVICE_POLICI is no option and is ignored. Did you mean SEMLINK_TEST_SERVICE_POLICY?',
    ]);
  });
});

describe('what is printed', () => {
  test('help has every option with unit, range, default and environment name', () => {
    const { text } = loadConfig(definition, { argv: ['--help', '--unknown'] });
    for (const { flag, env, meta, range } of definition.options) {
      expect(text).toContain(`--${flag}`);
      expect(text).toContain(env);
      expect(text).toContain(meta.description);
      if (flag !== 'verbose') expect(text).toContain(range);
    }
    expect(text).toContain('whole number of bytes, 1024 to 1073741824 · default 65536 bytes');
    expect(text).toContain('--verbose, --no-verbose');
  });

  test('the resolved configuration with sources is JSON', () => {
    const printed: unknown = JSON.parse(
      loadConfig(definition, { argv: ['--print-config', '--queue-delay', '3s'] }).text ?? '',
    );
    expect(printed).toMatchObject({
      listen: { value: '127.0.0.1:50051', source: 'default' },
      queue: { delay: { value: 3000, unit: 'ms', source: 'flag --queue-delay' } },
    });
  });
});

describe('a definition', () => {
  const described = <S extends z.ZodType>(schema: S) => option(schema, { description: 'x' });

  test('is refused when flags collide or Kubernetes owns the variable', () => {
    const fields = { aB: described(z.string().default('')), a: group({ b: described(z.string().default('')) }) };
    expect(() => defineConfig({ name: 'x', description: '', fields })).toThrow('both --a-b');
    const port = { port: described(z.int().default(1)) };
    expect(() => defineConfig({ name: 'x', description: '', fields: port })).toThrow('SEMLINK_X_PORT');
    expect(() => defineConfig({ name: 'x', description: '', fields: { a: z.string() } })).toThrow('option(schema');
  });

  test('may require a value, take arguments and check all together', () => {
    const needy = defineConfig({
      name: 'x',
      description: '',
      fields: { out: described(z.string().min(1)), low: described(z.int().default(1)) },
      positionals: { usage: 'FOLDER', description: 'Images.', min: 1, max: 1 },
      check: ({ low }) => (low > 5 ? '--low must be at most 5.' : undefined),
    });
    expect(() => loadConfig(needy, { argv: ['in'] })).toThrow('--out is required: x Give the flag, or SEMLINK_X_OUT');
    expect(() => loadConfig(needy, { argv: ['--out', 'o'] })).toThrow('x needs FOLDER');
    expect(() => loadConfig(needy, { argv: ['in', '--out', 'o', '--low', '9'] })).toThrow('--low must be at most 5.');
    const loaded = loadConfig(needy, { argv: ['--out', 'o', '--', '--in'] });
    expect(loaded.text === undefined && loaded.positionals).toEqual(['--in']);
  });
});
