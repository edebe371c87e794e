import { semlinkVersion } from '../../shared/config/index.js';
import { suggest } from '../../shared/config/suggest.js';
import type { Command } from './command.js';

/** What each command is for, and where it is: loaded only when it is called, for some load TensorFlow. */
const COMMANDS: Record<string, { summary: string; load: () => Promise<Command> }> = {
  demo: {
    summary: 'The whole link on this machine: CIFAR-10 images over a fading channel, SNR swept, shown live.',
    load: async () => (await import('./commands/demo.js')).demo,
  },
  up: {
    summary: 'Starts the services and keeps them running; --processes: one process each.',
    load: async () => (await import('./commands/up.js')).up,
  },
  send: {
    summary: 'Sends a data set or a folder of images over a running link.',
    load: async () => (await import('./commands/send.js')).send,
  },
  channel: {
    summary: 'Gets, sets, watches and snapshots the channels of a running emulator, and runs scenarios.',
    load: async () => (await import('./commands/channel.js')).channel,
  },
  train: {
    summary: 'Trains an encoder-decoder pair, calibrates it and publishes it.',
    load: async () => (await import('./commands/train.js')).train,
  },
  distill: {
    summary: 'Trains a pair on what a large model said, from stored knowledge: no large model runs.',
    load: async () => (await import('./commands/distill.js')).distill,
  },
  teach: {
    summary: 'Asks a large model about every training image once and stores what it says.',
    load: async () => (await import('./commands/teach.js')).teach,
  },
  knowledge: {
    summary: 'Describes, verifies or exports stored knowledge.',
    load: async () => (await import('./commands/knowledge.js')).knowledge,
  },
  models: {
    summary: 'Lists, fetches and stores published models; shows how links are spread over them.',
    load: async () => (await import('./commands/models.js')).models,
  },
  iq: {
    summary: 'Converts complex samples between SigMF recordings, FC32 and SC16 files.',
    load: async () => (await import('./commands/iq.js')).iq,
  },
  evaluate: {
    summary: 'Accuracy of a published model over the channel, in process, on the CIFAR-10 test images.',
    load: async () => (await import('./commands/evaluate.js')).evaluate,
  },
  report: {
    summary: 'One HTML page of a model: accuracy over SNR and length, baselines, bounds, size, latency.',
    load: async () => (await import('./commands/report.js')).report,
  },
  bench: {
    summary: 'Measures the speed of a part on this machine: the channel models, stored knowledge, training.',
    load: async () => (await import('./commands/bench.js')).bench,
  },
};

function help(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    'semlink: the meaning of images over bad radio links.',
    '',
    'Usage: semlink COMMAND [OPTIONS]',
    '',
    ...lines,
    '',
    'semlink COMMAND --help prints every option of a command with its unit, range, default and environment variable.',
    '',
  ].join('\n');
}

async function main([name, ...argv]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(help());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version') {
    process.stdout.write(`semlink ${semlinkVersion()}\n`);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) {
    const near = suggest(name, Object.keys(COMMANDS));
    process.stderr.write(
      `semlink: there is no command "${name}".${near ? ` Did you mean ${near}?` : ''} ` +
        `There are ${Object.keys(COMMANDS).join(', ')}; semlink --help says what each does.\n`,
    );
    return 2;
  }
  return (await command.load()).run(argv);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`semlink: ${process.env.SEMLINK_DEBUG ? ((error as Error).stack ?? message) : message}\n`);
  process.exitCode = 1;
}
// A collector that hangs, or a stray handle, must not keep a finished command alive.
process.exit();
