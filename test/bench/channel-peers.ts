/**
 * The speed of the channel beside that of others, turn by turn on the same machine:
 *
 *   node dist/test/bench/channel-peers.js --help
 *
 * FOLDER holds what is to be compared: `channel_py.py` with `v-main/bin/python` (Sionna, torch, NumPy), `node/channel.mjs`
 * (plain JavaScript) and `bin/itpp_chan` (IT++). What is not there is left out. All count processor time of one thread,
 * so a busy machine slows all alike; each program runs once a round and the median over rounds counts.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { type ChannelMeasurement, median } from '../../deploy/cli/bench/channel-bench.js';
import { formatTable } from '../../deploy/cli/table.js';
import { projectRoot } from '../../shared/build/compiled.js';
import { defineConfig, loadConfigOrExit, option } from '../../shared/config/index.js';
import { jsonOption } from './bench-options.js';

/** Millions of symbols a second of one program at one job: "awgn 1000", "rayleigh-block 128", "tdl 1000". */
interface Speed {
  who: string;
  job: string;
  speed: number;
}

const definition = defineConfig({
  name: 'channel-peers',
  usage: 'node dist/test/bench/channel-peers.js',
  description: 'The speed of the channel beside that of others, turn by turn on the same machine.',
  fields: {
    peers: option(z.string().optional(), {
      description: 'Folder of what is compared; the head of the source says what is in it. Absent: only ours.',
      placeholder: 'FOLDER',
    }),
    rounds: option(z.int().min(1).max(1000).default(5), { description: 'Times that all are measured, in turn.' }),
    seconds: option(z.number().min(0.01).max(60).default(0.25), { description: 'Time of one measurement.', unit: 's' }),
    json: jsonOption,
  },
});
const { config: values } = loadConfigOrExit(definition);
const seconds = String(values.seconds);
const folder = values.peers;

function output(program: string, args: string[]): string {
  const env = { ...process.env, OMP_NUM_THREADS: '1', PYTHONWARNINGS: 'ignore' };
  return execFileSync(program, args, {
    encoding: 'utf8',
    env,
    maxBuffer: 2 ** 24,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

function ours(): Speed[] {
  const temporary = mkdtempSync(path.join(tmpdir(), 'semlink-bench-'));
  const file = path.join(temporary, 'channel.json');
  const semlink = (args: string[]): ChannelMeasurement[] => {
    const common = ['bench', 'channel', '--rounds', '1', '--seconds', seconds, '--json', file];
    output(process.execPath, [path.join(projectRoot, 'deploy', 'cli', 'semlink.mjs'), ...common, ...args]);
    return (JSON.parse(readFileSync(file, 'utf8')) as { results: ChannelMeasurement[] }).results;
  };
  try {
    const results = [
      ...semlink(['--model', 'awgn,rayleigh-block', '--block', '1000000,1000,128']),
      ...semlink(['--model', 'tdl-a', '--block', '1000', '--path', 'wasm']),
    ];
    return results.map(({ model, block, path: by, msymbols_per_second }) => ({
      who: `semlink ${by}`,
      job: `${model.startsWith('tdl') ? 'tdl' : model} ${block}`,
      speed: msymbols_per_second,
    }));
  } finally {
    rmSync(temporary, { recursive: true });
  }
}

const jobNames: Record<string, string> = { awgn: 'awgn', block: 'rayleigh-block', tdl: 'tdl', 'tdl10+awgn': 'tdl' };
const line = /(?:^|\s)([\w-]+) (awgn|block|tdl|tdl10\+awgn) (?:1x)?(\d+)\s+Msym\/s\s+median[ =]\s*([\d.]+)/;

function read(text: string): Speed[] {
  return text.split('\n').flatMap((row) => {
    const [, who, job, block, speed] = line.exec(row) ?? [];
    return who && job ? [{ who, job: `${jobNames[job]} ${block}`, speed: Number(speed) }] : [];
  });
}

/** The programs that are there. */
function peers(root: string): (() => Speed[])[] {
  const at = (name: string) => path.join(root, name);
  const programs: [string, string[]][] = [
    [at('v-main/bin/python'), [at('channel_py.py'), '--threads', '1', '--reps', '1', '--secs', seconds]],
    [process.execPath, [at('node/channel.mjs'), '1', seconds, 'ziggurat']],
    [at('bin/itpp_chan'), ['1', seconds]],
  ];
  const there = programs.filter(([program, [script]]) =>
    [program, script].every((file) => !file?.startsWith('/') || existsSync(file)),
  );
  if (there.length === 0) throw new Error(`nothing to compare in ${root}: see the head of channel-peers.ts`);
  return there.map(
    ([program, args]) =>
      () =>
        read(output(program, args)),
  );
}

const runs = [ours, ...(folder ? peers(path.resolve(folder)) : [])];
const speeds = new Map<string, Map<string, number[]>>();
for (let round = 0; round < Number(values.rounds); round++) {
  for (const run of runs) {
    for (const { who, job, speed } of run()) {
      const row = speeds.get(job) ?? new Map<string, number[]>();
      speeds.set(job, row);
      row.set(who, [...(row.get(who) ?? []), speed]);
    }
  }
}

const results = [...speeds].map(([job, row]) => {
  const medians = [...row].map(([who, all]) => ({ who, speed: median(all) })).toSorted((a, b) => b.speed - a.speed);
  const mine = medians.find(({ who }) => who === 'semlink wasm')!;
  const best = medians.find(({ who }) => !who.startsWith('semlink'));
  return { job, medians, ratio: best && mine.speed / best.speed };
});
for (const { job, medians, ratio } of results) {
  process.stdout.write(`\n${job} symbols to a call${ratio ? `: ${ratio.toFixed(2)} x the best of the others` : ''}\n`);
  process.stdout.write(
    formatTable(
      ['', 'Msymbols/s'],
      medians.map(({ who, speed }) => [who, speed.toFixed(2)]),
    ),
  );
}
if (values.json) writeFileSync(values.json, `${JSON.stringify({ results }, null, 2)}\n`);
