import { benchChannel } from '../bench/channel-command.js';
import { benchDistillation } from '../bench/distill-command.js';
import { benchStoredKnowledge } from '../bench/knowledge-command.js';
import { benchLink } from '../bench/link-command.js';
import type { Command } from '../command.js';

const BENCHMARKS: Record<string, { summary: string; run: Command['run'] }> = {
  channel: { summary: 'Channel models: complex symbols a second of one core.', run: benchChannel },
  link: { summary: 'A link under load: images a second, latency, processor time.', run: benchLink },
  knowledge: { summary: 'Reading stored knowledge: records a second, bytes a view.', run: benchStoredKnowledge },
  distill: {
    summary: 'Training from stored knowledge, on labels, with a teacher in the loop, in Python: images a second.',
    run: benchDistillation,
  },
};

export const bench: Command = {
  async run([name, ...argv]) {
    const benchmark = name !== undefined && Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name] : undefined;
    if (benchmark) return benchmark.run(argv);
    const asked = name === '--help' || name === '-h';
    const lines = Object.entries(BENCHMARKS).map(([key, { summary }]) => `  ${key.padEnd(10)}${summary}`);
    const text = ['Measures this machine.', '', 'Usage: semlink bench WHAT [OPTIONS]', '', ...lines, ''].join('\n');
    (asked ? process.stdout : process.stderr).write(text);
    return asked ? 0 : 2;
  },
};
