import { type Action, commandOf } from '../actions.js';
import { benchChannel } from '../bench/channel-command.js';
import { benchDistillation } from '../bench/distill-command.js';
import { benchStoredKnowledge } from '../bench/knowledge-command.js';
import { benchLink } from '../bench/link-command.js';

const BENCHMARKS: Record<string, Action> = {
  channel: { summary: 'Channel models: complex symbols a second of one core.', run: benchChannel },
  link: { summary: 'A link under load: images a second, latency, processor time.', run: benchLink },
  knowledge: { summary: 'Reading stored knowledge: records a second, bytes a view.', run: benchStoredKnowledge },
  distill: {
    summary: 'Training from stored knowledge, on labels, with a teacher in the loop, in Python: images a second.',
    run: benchDistillation,
  },
};

export const bench = commandOf('bench', 'Measures this machine.', BENCHMARKS);
