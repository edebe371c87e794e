import type { Command } from '../command.js';

/** What each action is for, and where it is. */
const ACTIONS: Record<string, { summary: string; load: () => Promise<Command> }> = {
  get: {
    summary: 'What is set for a link, or by default, and where the link stands.',
    load: async () => (await import('../channel/get.js')).get,
  },
  set: {
    summary: 'Changes what is named and leaves the rest: semlink channel set --link car snr-db=12 air.jitter-ms=3',
    load: async () => (await import('../channel/set.js')).set,
  },
  reset: {
    summary: 'Lets a link follow the default again.',
    load: async () => (await import('../channel/set.js')).reset,
  },
  watch: {
    summary: 'Shows what is set now, then every change, until Ctrl-C.',
    load: async () => (await import('../channel/watch.js')).watch,
  },
  run: {
    summary: 'Runs a scenario file: at a time do something, ramps, loops. Ctrl-C stops it.',
    load: async () => (await import('../channel/run.js')).run,
  },
  scenarios: {
    summary: 'Lists running scenarios; with an action and a name: pause, resume or stop NAME.',
    load: async () => (await import('../channel/scenarios.js')).scenarios,
  },
  snapshot: {
    summary: 'Writes all state of the links to a file.',
    load: async () => (await import('../channel/snapshot.js')).snapshot,
  },
  restore: {
    summary: 'Replaces all state of the links by that of a snapshot file.',
    load: async () => (await import('../channel/snapshot.js')).restore,
  },
};

function help(): string {
  const width = Math.max(...Object.keys(ACTIONS).map((name) => name.length));
  const lines = Object.entries(ACTIONS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    'Usage: semlink channel ACTION [OPTIONS]',
    '',
    'Controls the channels of a running channel-emulator.',
    '',
    ...lines,
    '',
    'semlink channel ACTION --help prints every option of an action.',
    '',
    'Settings, as KEY=VALUE of set and as JSON in scenario files; a key without a group is of "channel":',
    '  channel   model, snrDb, and what the model and impairments take, for example dopplerHz',
    '  budget    transmitPowerDbm, pathLossDb, noiseFloorDbm: they make the SNR together',
    '  air       symbolRateHz, realTime, propagationDelayMs, processingDelayMs, jitterMs, reorder, maxWaitMs',
    '  feedback  pilots (count, powerDb, equalise; null: genie), bits, leastSnrDb, greatestSnrDb, delayMs, lossProbability',
    '',
    'A recording instead of the air, on the machine of the channel-emulator; mode samples: what was received, bit for bit,',
    'for frames of the recorded lengths; mode channel: its gains and noise on what is sent:',
    '  semlink channel set --link car model=replay replay.file=/rec/air-000000-received.sigmf-meta#car replay.mode=samples',
    '  replay.loop=false ends it at its end, replay.start=POSITION moves its beginning from where the link is',
    '',
    'A scenario file; times in seconds, a step without "link" is for the default of all links:',
    '  {"name": "drive-by", "clock": "wall", "loop": {"every": 20, "times": 3}, "steps": [',
    '    {"at": 0, "link": "car", "set": {"channel": {"model": "jakes", "dopplerHz": 90, "snrDb": 0}}},',
    '    {"at": 1, "link": "car", "ramp": {"channel": {"snrDb": 20}}, "over": 8},',
    '    {"at": 15, "link": ["car", "van"], "reset": true}]}',
    '',
  ].join('\n');
}

export const channel: Command = {
  async run([name, ...argv]) {
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      process.stdout.write(help());
      return name === undefined ? 2 : 0;
    }
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
    if (!action) {
      process.stderr.write(
        `semlink channel: there is no action "${name}"; there are ${Object.keys(ACTIONS).join(', ')}.\n`,
      );
      return 2;
    }
    return (await action.load()).run(argv);
  },
};
