import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compiledModule } from '../../shared/build/compiled.js';
import { type CpuProfile, flameGraph, framesOf, topFunctions } from './flame-graph.js';
import { kneeOf } from './knee.js';

const run = promisify(execFile);

describe('the scripts', () => {
  const names = [
    'channel-peers',
    'emulator-throughput',
    'link-cost',
    'link-flame',
    'link-peers',
    'link-scaling',
    'link-soak',
    'telemetry-overhead',
  ];
  it.each(names)(
    '%s says what it takes, and refuses a flag that it does not have',
    async (name) => {
      const script = fileURLToPath(compiledModule(`test/bench/${name}.ts`));
      const { stdout } = await run(process.execPath, [script, '--help']);
      expect(stdout).toContain(`node dist/test/bench/${name}.js`);
      await expect(run(process.execPath, [script, '--nonsense'])).rejects.toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/nonsense/),
      });
    },
    60_000,
  );
});

describe('the knee', () => {
  it('is the least load in flight that reaches the share, whatever the order', () => {
    const loads = [1, 4, 16, 64, 256].flatMap((streams) =>
      [1, 4, 16, 64].map((in_flight) => {
        // Rises to 1,000 at 64 in flight and stays there.
        return { streams, in_flight, images_per_second: Math.min(1_000, (1_000 * streams * in_flight) / 64) };
      }),
    );
    fc.assert(
      fc.property(fc.shuffledSubarray(loads, { minLength: loads.length }), (shuffled) => {
        const { streams, in_flight } = kneeOf(shuffled, 0.9);
        expect(streams * in_flight).toBe(64);
      }),
    );
    expect(kneeOf(loads, 0.2)).toMatchObject({ images_per_second: 250 });
  });
});

describe('a flame graph', () => {
  const node = (id: number, functionName: string, url: string, children: number[] = []) => ({
    id,
    callFrame: { functionName, url, lineNumber: 9 },
    children,
  });
  const profile: CpuProfile = {
    nodes: [
      node(1, '(root)', '', [2, 5, 6]),
      node(2, 'serve', 'file:///home/x/dist/shared/rpc/serve.js', [3, 4]),
      node(3, 'encode<T>', 'file:///home/x/node_modules/lib/dist/a.js'),
      node(4, 'encode<T>', 'file:///home/x/node_modules/lib/dist/a.js'),
      node(5, '(idle)', ''),
      node(6, '(garbage collector)', ''),
    ],
    samples: [2, 3, 4, 5, 6],
    timeDeltas: [100, 200, 300, 5_000, 400],
  };

  it('adds up calls of one path, and leaves out the time in which nothing was to do', () => {
    const root = framesOf(profile);
    expect(root.total).toBe(1_000);
    expect(topFunctions(root, 2)).toEqual([
      { name: 'encode<T>', place: 'node_modules/lib/dist/a.js:10', self: 500 },
      { name: '(garbage collector)', place: '', self: 400 },
    ]);
    expect([...root.children.values()].map(({ name, total }) => [name, total])).toEqual([
      ['serve', 600],
      ['(garbage collector)', 400],
    ]);
  });

  it('draws them as wide as they took, with no path of the machine', () => {
    const svg = flameGraph(framesOf(profile), 'a & b');
    expect(svg).toContain('<title>serve shared/rpc/serve.js:10: 60.0 %, itself 0 ms</title>');
    expect(svg).toContain('width="719.5"');
    expect(svg).toContain('encode&#60;T&#62;');
    expect(svg).toContain('aria-label="a &#38; b"');
    expect(svg).not.toContain('/home/x');
  });
});
