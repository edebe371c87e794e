/** A real GNU Radio flow graph between a real transmitter and a real receiver, and what it does to accuracy and symbols. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { projectRoot } from '../../shared/build/compiled.js';
import type { ExternalForm, ExternalSettings } from '../../shared/channel/external.js';
import { readSigmfMeta, readSigmfSamples } from '../../shared/channel/sigmf-file.js';
import { SemanticLink } from '../../shared/client/link.js';
import { errorOf, killAll, sendAll, startTestLink, testImages } from '../integration/link.fixture.js';
import { freeExternal } from './peer.fixture.js';

/** The system's Python, for which distributions package GNU Radio. SEMLINK_GNURADIO_PYTHON names another one. */
const python = process.env.SEMLINK_GNURADIO_PYTHON ?? '/usr/bin/python3';

/** Version of the GNU Radio that is installed; undefined: none. */
export function gnuRadioVersion(): string | undefined {
  const asked = spawnSync(python, ['-c', 'from gnuradio import gr, zeromq, analog, channels; print(gr.version())'], {
    encoding: 'utf8',
  });
  return asked.status === 0 ? asked.stdout.trim() : undefined;
}

/** Starts gnuradio_channel.py at the addresses of some settings. */
export async function startGnuRadio({ form, send, receive }: ExternalSettings, flags: string[]): Promise<ChildProcess> {
  const script = path.join(projectRoot, 'test/interop/gnuradio_channel.py');
  const graph = form === 'push-pull' ? 'push-pull' : 'req-rep';
  const child = spawn(python, [script, '--form', graph, '--take', send, '--give', receive, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said: string[] = [];
  createInterface({ input: child.stderr! }).on('line', (line) => said.push(line));
  const ready = once(createInterface({ input: child.stdout! }), 'line');
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`GNU Radio ended (${String(code)}) before it was ready: ${said.slice(-3).join(' ')}`);
  });
  ended.catch(() => {});
  await Promise.race([ready, ended]);
  return child;
}

export interface InteropCase {
  /** Absent: no outside process, the emulator's own awgn, to compare with. */
  form?: ExternalForm;
  snrDb: number;
  /** Flags of gnuradio_channel.py beside form, addresses and SNR. */
  flags: string[];
  pilotSymbols: number;
}

export interface InteropResult {
  images: number;
  errors: number;
  /** Share of right answers, 0 to 1. */
  accuracy: number;
  /** sqrt(sum |y - h s|^2 / sum |h s|^2) with the h that the receiver was told, from the recording of the air. */
  evm: number;
  /** What noise of the SNR makes of it: 10^(-SNR/20). */
  expectedEvm: number;
  /** |h| that the receiver was told, mean. */
  meanGain: number;
  imagesPerSecond: number;
}

/** Sends CIFAR-10 test images through transmitter, emulator with GNU Radio as its channel, and receiver. */
export async function runOverGnuRadio(images: number, one: InteropCase): Promise<InteropResult> {
  const external = await freeExternal(one.form ?? 'push-pull', {
    timeoutMs: 5_000,
    multipleSymbols: 64,
    pilotSymbols: one.pilotSymbols,
  });
  const folder = await mkdtemp(path.join(tmpdir(), 'semlink-interop-'));
  const flags = ['--snr-db', String(one.snrDb), ...one.flags];
  const graph = one.form && (await startGnuRadio(external, flags));
  const local = await startTestLink({
    'channel-emulator': {
      'channel.model': one.form ? 'external' : 'awgn',
      'channel.snrDb': one.snrDb,
      'channel.externalForm': external.form,
      'channel.externalSend': external.send,
      'channel.externalReceive': external.receive,
      'channel.externalTimeoutMs': external.timeoutMs,
      'channel.externalPilotSymbols': external.pilotSymbols,
      'record.folder': folder,
      'record.side': 'both',
    },
  });
  try {
    const link = new SemanticLink({
      address: local.address,
      linkId: 'interop',
      policy: { kind: 'fixed', channelUses: 64 },
      timeoutMs: 60_000,
    });
    const all = await testImages(images);
    const start = performance.now();
    const answers = await sendAll(link, all);
    const seconds = (performance.now() - start) / 1000;
    await link.close();
    const errors = answers.filter(({ result }) => errorOf(result));
    if (errors.length > 0) process.stderr.write(`${errors.length} errors: ${errorOf(errors[0]!.result)!.message}\n`);
    const right = answers.filter(
      ({ result: { outcome }, context }) => outcome.case === 'classification' && outcome.value.label === context.label,
    );
    if (!(await local.stop())) throw new Error('the services did not end well');
    return {
      images,
      errors: errors.length,
      accuracy: right.length / images,
      ...(await evmOf(folder)),
      expectedEvm: 10 ** (-one.snrDb / 20),
      imagesPerSecond: images / seconds,
    };
  } finally {
    killAll(Object.values(local.processes));
    graph?.kill('SIGTERM');
    await rm(folder, { recursive: true });
  }
}

/** Error vector magnitude over a recording of both sides. */
async function evmOf(folder: string): Promise<{ evm: number; meanGain: number }> {
  let error = 0;
  let power = 0;
  let gainSum = 0;
  let frames = 0;
  const names = (await readdir(folder)).filter((name) => name.endsWith('-received.sigmf-meta'));
  for (const name of names) {
    const receivedFile = path.join(folder, name);
    const sentFile = path.join(folder, name.replace('-received', '-sent'));
    const meta = await readSigmfMeta(receivedFile);
    const received = await readSigmfSamples(receivedFile, meta);
    const sent = await readSigmfSamples(sentFile, await readSigmfMeta(sentFile));
    for (const frame of meta.annotations) {
      const [re = 1, im = 0] = frame['semlink:gains'] ?? [];
      gainSum += Math.hypot(re, im);
      frames++;
      const end = 2 * (frame['core:sample_start'] + frame['core:sample_count']);
      for (let i = 2 * frame['core:sample_start']; i < end; i += 2) {
        const expectedRe = re * sent[i]! - im * sent[i + 1]!;
        const expectedIm = re * sent[i + 1]! + im * sent[i]!;
        error += (received[i]! - expectedRe) ** 2 + (received[i + 1]! - expectedIm) ** 2;
        power += expectedRe ** 2 + expectedIm ** 2;
      }
    }
  }
  return { evm: Math.sqrt(error / power), meanGain: gainSum / frames };
}
