/**
 * Frames a second through a channel-emulator process on loopback:
 *
 *   node dist/test/bench/emulator-throughput.js --help
 *
 * Load and receiver are processes of their own that only copy bytes. Counts frames a second of the emulator's processor
 * time (what one core of its own would do) as well as of the clock, and its resident memory in each fifth of the run: least (after
 * a garbage collection) and most.
 * `--frames`: so many frames instead of a time.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { create, toBinary } from '@bufbuild/protobuf';
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { z } from 'zod';
import { startServiceProcess } from '../../deploy/local/processes.js';
import { compiledModule } from '../../shared/build/compiled.js';
import { channelModelNames } from '../../shared/channel/channel-config.js';
import { encodeSymbols } from '../../shared/codec/symbols.js';
import { defineConfig, loadConfigOrExit, option } from '../../shared/config/index.js';
import { PropagateRequestSchema } from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { SymbolFormat } from '../../shared/gen/semlink/v1/frame_pb.js';
import { jsonOption } from './bench-options.js';
import { fields, varint } from './wire.js';

const definition = defineConfig({
  name: 'emulator-throughput',
  usage: 'node dist/test/bench/emulator-throughput.js',
  description: 'Frames a second through a channel-emulator process on loopback, and its memory.',
  fields: {
    seconds: option(z.number().min(0.1).max(86_400).default(5), { description: 'Time of the run.', unit: 's' }),
    frames: option(z.int().min(1).optional(), { description: 'So many frames instead of a time.' }),
    symbols: option(z.int().min(1).max(65_536).default(64), { description: 'Symbols a frame.' }),
    perMessage: option(z.int().min(1).max(4096).default(64), { description: 'Frames a message.' }),
    links: option(z.int().min(1).max(1_000_000).default(16), { description: 'Links, frame by frame in turn.' }),
    inFlight: option(z.int().min(1).max(4096).default(32), { description: 'Messages without an answer.' }),
    model: option(z.enum(channelModelNames).default('rayleigh-block'), { description: 'Channel model.' }),
    json: jsonOption,
  },
});
const { config: values } = loadConfigOrExit(definition);
const { symbols, perMessage, links, inFlight } = values;

/** Message number m of those that go round: frames m * perMessage and on, link by link. */
function message(m: number): Buffer {
  const numbers = Float32Array.from({ length: 2 * symbols }, (_, i) => Math.SQRT1_2 * (i % 3 === 0 ? -1 : 1));
  const { iq, scale } = encodeSymbols(SymbolFormat.SC16, numbers);
  const frames = Array.from({ length: perMessage }, (_, i) => {
    const sequence = BigInt(m * perMessage + i);
    return {
      header: {
        linkId: `link-${(m * perMessage + i) % links}`,
        sequence,
        captureTimeUnixNano: BigInt(Date.now()) * 1_000_000n,
        modelVersion: 'm-cifar10-3',
      },
      format: SymbolFormat.SC16,
      channelUses: symbols,
      sc16Scale: scale,
      iq,
      assumedSnrDb: 10,
      timings: { encodeQueueNanos: 100_000n, encodeNanos: 300_000n },
    };
  });
  return Buffer.from(toBinary(PropagateRequestSchema, create(PropagateRequestSchema, { frames })));
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  return line;
}

/** Seconds of processor time a process has used. */
function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function memoryMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}

const receiver = spawn(process.execPath, [fileURLToPath(compiledModule('test/bench/emulator-receiver.ts'))], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const address = await firstLine(receiver);
// The load is too simple to move to another connection when it is asked to.
const flags = ['--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0', '--receiver', address];
flags.push('--rpc-max-connection-age-ms', '0');
const emulator = await startServiceProcess('channel-emulator', [...flags, '--channel-model', values.model], {
  onLog: () => {},
});
const pid = emulator.process.pid!;
// Whatever becomes of this process, the two do not stay behind.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
process.on('exit', () => {
  receiver.kill();
  emulator.process.kill();
});

const client = new Client(emulator.address, credentials.createInsecure());
const raw = (bytes: Buffer) => bytes;
const call: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(
  '/semlink.v1.ChannelEmulatorService/Propagate',
  raw,
  raw,
);
// More messages than are in flight, so that a frame is not sent again before its answer is here; and all links in turn.
const messages = Array.from({ length: Math.max(2 * inFlight, Math.ceil(links / perMessage)) }, (_, m) => message(m));
const open = new Int32Array(messages.length);
let next = 0;
let answered = 0;
let failed = 0;
let sending = true;

function send(): void {
  if (!sending) return;
  while (open[next]! > 0) next = (next + 1) % messages.length;
  open[next] = perMessage;
  call.write(messages[next]!);
  next = (next + 1) % messages.length;
}

call.on('error', (error: Error) => {
  if (sending) throw error;
});
call.on('data', (response: Buffer) => {
  for (const result of fields(response, 0, response.length)) {
    if (result.number !== 1) continue;
    for (const field of fields(response, result.start, result.end)) {
      if (field.number === 5) failed++;
      if (field.number !== 2) continue;
      const m = Math.floor(varint(response, field.start) / perMessage);
      answered++;
      open[m]!--;
      if (open[m] === 0) send();
    }
  }
});
for (let i = 0; i < inFlight; i++) send();
// Until the code is compiled and the memory has its size.
for (const until = performance.now() + 20_000; answered < 200_000 && performance.now() < until; ) await wait(50);

const startFrames = answered;
const startClock = performance.now();
const startProcessor = processorSeconds(pid);
const memory: { least: number; most: number }[] = [];
/** Frames a second of processor time in each part. */
const speeds: number[] = [];
const wanted = values.frames ? Number(values.frames) : Number.POSITIVE_INFINITY;
for (let part = 1; part <= 5; part++) {
  const memories = [memoryMiB(pid)];
  const partFrames = answered;
  const partProcessor = processorSeconds(pid);
  const isOver = () =>
    values.frames
      ? answered - startFrames >= (wanted * part) / 5
      : performance.now() - startClock >= (Number(values.seconds) * 1000 * part) / 5;
  while (!isOver()) {
    await wait(50);
    memories.push(memoryMiB(pid));
  }
  speeds.push(Math.round((answered - partFrames) / (processorSeconds(pid) - partProcessor)));
  memory.push({ least: Math.round(Math.min(...memories)), most: Math.round(Math.max(...memories)) });
}
const frames = answered - startFrames;
const clock = (performance.now() - startClock) / 1000;
const processor = processorSeconds(pid) - startProcessor;
sending = false;
const result = {
  frames,
  failed,
  symbols,
  per_message: perMessage,
  links,
  model: values.model,
  frames_per_second: Math.round(frames / clock),
  frames_per_processor_second: Math.round(frames / processor),
  frames_per_processor_second_by_part: speeds,
  emulator_busy: Number((processor / clock).toFixed(2)),
  memory_mib: memory,
};
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
if (values.json) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
call.cancel();
client.close();
await emulator.stop(10_000);
receiver.kill();
process.exit(failed > 0 ? 1 : 0);
