import {
  type ChannelModelName,
  type ChannelSettings,
  createChannelModel,
  typicalSettings,
} from '../../../shared/channel/channel-config.js';
import type { KernelPath } from '../../../shared/channel/kernel/kernel.js';
import { LinkRandom } from '../../../shared/channel/link-random.js';

/** One line of a benchmark of the channel: symbols sent over a model, `block` to a call. */
export interface ChannelMeasurement {
  model: ChannelModelName;
  block: number;
  path: KernelPath;
  /** Median over the rounds of millions of complex symbols a second of processor time, which is that of one core. */
  msymbols_per_second: number;
}

export interface ChannelBenchmarkOptions {
  models: readonly ChannelModelName[];
  /** Symbols to a call, 1 or more. */
  blocks: readonly number[];
  paths: readonly KernelPath[];
  /** Times that everything is measured; cases take turns, so that a busy moment of the machine meets them all. */
  rounds: number;
  /** Processor time of one measurement. */
  seconds: number;
  /** Called before each measurement. */
  onProgress?: (done: number, total: number) => void;
}

const snrDb = 10;
/** Block Rayleigh: a gain for so many symbols, or for the whole call where that is shorter. */
const coherenceSymbols = 100;

/** Measures how fast this process sends symbols over channel models. */
export function benchmarkChannel(options: ChannelBenchmarkOptions): ChannelMeasurement[] {
  const cases = options.models.flatMap((model) =>
    options.blocks.flatMap((block) =>
      options.paths.map((path) => ({ model, block, path, run: sender(model, block, path), speeds: [] as number[] })),
    ),
  );
  for (const { run } of cases) measure(run, 0.05);
  for (let round = 0; round < options.rounds; round++) {
    for (const [i, { run, block, speeds }] of cases.entries()) {
      options.onProgress?.(round * cases.length + i, options.rounds * cases.length);
      speeds.push((measure(run, options.seconds) * block) / 1e6);
    }
  }
  return cases.map(({ model, block, path, speeds }) => ({ model, block, path, msymbols_per_second: median(speeds) }));
}

/** Sends the next block of a link. The symbols stay where they are and what arrives goes elsewhere, as with the peers. */
function sender(model: ChannelModelName, block: number, path: KernelPath): () => void {
  const channel = createChannelModel(settingsOf(model, block));
  const random = new LinkRandom(1n, 'benchmark', path);
  const symbols = Float32Array.from({ length: 2 * block }, (_, i) => (i % 7) / 3 - 1);
  const out = new Float32Array(2 * block);
  let position = 0;
  return () => {
    channel.apply(symbols, { random, position }, out);
    position += block;
  };
}

/** What the others are measured with: multipath in the time domain at 1 MBd, 100 ns of delay spread, 35 Hz of Doppler. */
function settingsOf(model: ChannelModelName, block: number): ChannelSettings {
  const settings = typicalSettings(model, snrDb);
  if ('coherenceSymbols' in settings) {
    settings.coherenceSymbols = block < 2 * coherenceSymbols ? block : coherenceSymbols;
  }
  if ('timeDomain' in settings) settings.timeDomain = true;
  if ('delaySpreadSeconds' in settings) settings.delaySpreadSeconds = 100e-9;
  if ('dopplerHz' in settings) settings.dopplerHz = 35;
  return settings;
}

/** Calls a second of processor time. */
function measure(run: () => void, seconds: number): number {
  const start = process.cpuUsage();
  let calls = 0;
  let batch = 1;
  for (;;) {
    const batchStart = process.cpuUsage();
    for (let i = 0; i < batch; i++) run();
    calls += batch;
    const spent = secondsSince(start);
    if (spent >= seconds) return calls / spent;
    // The clock is read about every five milliseconds.
    if (secondsSince(batchStart) < 0.0025) batch *= 2;
  }
}

function secondsSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
