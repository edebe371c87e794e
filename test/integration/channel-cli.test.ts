/** `semlink channel` as a person runs it: a process of its own against an emulator in another. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../shared/build/compiled.js';
import type { ServerHandle } from '../../shared/rpc/server.js';
import { type EmulatorProcess, frameOf, startEmulator, startReceiver, startSender, until } from './channel.fixture.js';

let receiver: ServerHandle;
let emulator: EmulatorProcess;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-channel-'));
  receiver = await startReceiver();
  emulator = await startEmulator(receiver.address, '--seed', '7', '--admin-listen', '127.0.0.1:0');
});
afterAll(async () => {
  expect(await emulator?.stop()).toBe(0);
  await receiver?.drain();
  await rm(folder, { recursive: true, force: true });
});

interface Run {
  child: ChildProcess;
  out: () => string;
  err: () => string;
  ended: Promise<number | null>;
}

/** Starts `semlink channel ...`. */
function start(...args: string[]): Run {
  const main = path.join(projectRoot, 'deploy/cli/semlink.mjs');
  const child = spawn(process.execPath, [main, 'channel', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (data: Buffer) => (out += data));
  child.stderr.on('data', (data: Buffer) => (err += data));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, out: () => out, err: () => err, ended };
}

async function channel(...args: string[]): Promise<{ status: number | null; out: string; err: string }> {
  const { out, err, ended } = start(...args);
  const status = await ended;
  return { status, out: out(), err: err() };
}

const at = () => ['--emulator', emulator.adminAddress!];

async function file(name: string, content: object): Promise<string> {
  const where = path.join(folder, name);
  await writeFile(where, JSON.stringify(content));
  return where;
}

describe('semlink channel', () => {
  it('says what it can do', async () => {
    const help = await channel('--help');
    expect(help.status).toBe(0);
    for (const action of ['get', 'set', 'reset', 'watch', 'run', 'scenarios', 'snapshot', 'restore']) {
      expect(help.out).toContain(`\n  ${action}`);
    }
    expect((await channel()).status).toBe(2);
    expect(await channel('gte')).toMatchObject({
      status: 2,
      err: 'semlink channel: there is no action "gte"; there are get, set, reset, watch, run, scenarios, snapshot, restore.\n',
    });
    for (const action of ['get', 'set', 'run']) {
      expect(await channel(action, '--help')).toMatchObject({
        status: 0,
        out: expect.stringContaining('--emulator HOST:PORT'),
      });
    }
  }, 60_000);

  it('sets, gets and resets', async () => {
    const words = ['model=rician-block', 'k-factor-db=3', 'snr-db=12', 'air.jitter-ms=2', 'feedback.pilots.count=4'];
    expect(await channel('set', ...at(), '--link', 'car', ...words)).toEqual({
      status: 0,
      out: 'car: rician-block, 12 dB, coherenceSymbols 0, kFactorDb 3\n',
      err: '',
    });
    const shown = await channel('get', ...at(), '--link', 'car');
    expect(shown.out).toMatch(/^car: its own settings; seed 7, 0 symbols carried\n/);
    expect(shown.out).toMatch(/ {2}channel\.kFactorDb +3\n/);
    expect(shown.out).toMatch(/ {2}feedback\.pilots\.count +4\n/);
    const json = JSON.parse((await channel('get', ...at(), '--link', 'car', '--json')).out);
    expect(json).toMatchObject({ link: 'car', own: true, seed: '7', settings: { air: { jitterMs: 2 } } });
    expect(await channel('reset', ...at(), '--link', 'car')).toMatchObject({
      status: 0,
      out: 'car: follows the default\n',
    });
    expect((await channel('get', ...at(), '--link', 'car')).out).toContain('car: the default; seed 7');
  }, 60_000);

  it('says in a sentence what is wrong', async () => {
    const wrong: [string[], number, string][] = [
      [['set', ...at(), 'snr-db=99'], 1, 'semlink: snr_db is 99; use an average Es/N0 of -40 to 60 dB\n'],
      [['set', ...at(), 'snr-db'], 1, 'semlink: "snr-db" is no setting; write KEY=VALUE, for example snr-db=12\n'],
      [
        ['set', ...at(), 'snr-db=1', 'channel.snr-db=2'],
        1,
        'semlink: "channel.snr-db=2": channel.snrDb is set twice\n',
      ],
      [['set', ...at(), 'colour=red'], 1, 'semlink: patch: channel.colour is "red"; there is no such key'],
      [['set', ...at()], 2, 'semlink channel set: semlink channel set needs KEY=VALUE...'],
      [
        ['get', '--emulator', '127.0.0.1:9'],
        1,
        'semlink: no connection to 127.0.0.1:9 within 5000 ms; check that it runs there\n',
      ],
      [
        ['get', '--emulator', emulator.address],
        1,
        'semlink: GetChannel is "an admin call"; this port carries symbols only',
      ],
      [['run', ...at(), 'no-such-file'], 1, "semlink: ENOENT: no such file or directory, open 'no-such-file'\n"],
      [['scenarios', ...at(), 'stop', 'nobody'], 1, 'semlink: name of the scenario is "nobody"; running: none\n'],
      [['restore', ...at(), await file('bad.jsonl', { links: 3 })], 1, 'bad.jsonl, line 1 is no part of a snapshot'],
    ];
    const runs = await Promise.all(wrong.map(([args]) => channel(...args)));
    for (const [i, { status, err }] of runs.entries()) {
      expect(err).toContain(wrong[i]![2]);
      expect(status, err).toBe(wrong[i]![1]);
    }
  }, 120_000);

  it('watches until Ctrl-C', async () => {
    const run = start('watch', ...at(), '--json');
    await until(() => run.out().includes('"initial"'), 30_000);
    await channel('set', ...at(), '--link', 'seen', 'snr-db=3');
    await until(() => run.out().includes('"seen"'));
    const lines = run
      .out()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ link: '', change: 'initial' });
    expect(lines.at(-1)).toMatchObject({ link: 'seen', change: 'set', settings: { channel: { snrDb: 3 } } });
    run.child.kill('SIGINT');
    expect(await run.ended).toBe(0);
    expect(run.err()).toBe('');
  }, 60_000);

  it('runs a scenario to its end and shows its steps', async () => {
    const scenario = await file('drive.json', {
      name: 'drive',
      loop: { every: 0.3, times: 2 },
      steps: [
        { at: 0, link: 'car', set: { channel: { snrDb: 3 } } },
        { at: 0.1, link: 'car', ramp: { channel: { snrDb: 13 } }, over: 0.1 },
      ],
    });
    const { status, out } = await channel('run', ...at(), scenario);
    expect(out).toMatch(/0\.00 s {2}step 1 sets channel\.snrDb of link car\n/);
    expect(out).toMatch(/step 2 ramps channel\.snrDb of link car\n/);
    expect(out).toMatch(/\ndrive: done, 0\.3 of 0\.3 s, round 2 of 2, 4 steps\n$/);
    expect(status).toBe(0);
  }, 60_000);

  it('stops its scenario at Ctrl-C, and leaves a detached one running', async () => {
    const scenario = await file('long.json', {
      name: 'long',
      loop: { every: 5 },
      steps: [{ at: 0, link: 'x', set: { channel: { snrDb: 3 } } }],
    });
    const run = start('run', ...at(), scenario);
    await until(() => run.out().includes('step 1'), 30_000);
    expect((await channel('scenarios', ...at())).out).toMatch(/^long: running, \d\.\d of 5\.0 s, round 1, 1 steps\n$/);
    run.child.kill('SIGINT');
    expect(await run.ended).toBe(0);
    expect(run.out()).toContain('stopped; what the scenario set stays');
    await until(async () => (await channel('scenarios', ...at())).out === 'no scenario is running\n', 30_000);
    const detached = await channel('run', ...at(), '--detach', scenario);
    expect(detached).toMatchObject({
      status: 0,
      out: expect.stringContaining('long is running; semlink channel scenarios stop long'),
    });
    expect((await channel('scenarios', ...at(), 'pause', 'long')).out).toMatch(/^long: paused/);
    expect((await channel('scenarios', ...at(), 'stop', 'long')).out).toMatch(/^long: stopped/);
  }, 120_000);

  it('names the contradiction of a scenario, with its file', async () => {
    const scenario = await file('torn.json', {
      steps: [
        { at: 1, link: 'a', set: { channel: { snrDb: 3 } } },
        { at: 1, link: 'a', set: { channel: { snrDb: 4 } } },
      ],
    });
    const { status, err } = await channel('run', ...at(), scenario);
    expect(status).toBe(1);
    expect(err).toContain(
      'torn.json: the scenario contradicts itself: step 1 and step 2 set channel.snrDb of link "a" at 1 s to 3 and 4; leave one out',
    );
  }, 60_000);

  it('snapshots and restores', async () => {
    const sender = startSender(emulator.address);
    for (let i = 0; i < 5; i++) await sender.ask(frameOf('kept', i, 10));
    await channel('set', ...at(), '--link', 'kept', 'snr-db=21');
    const where = path.join(folder, 'state.jsonl');
    expect(await channel('snapshot', ...at(), where)).toMatchObject({
      status: 0,
      out: expect.stringMatching(/^\d+ links in /),
    });
    expect(await readFile(where, 'utf8')).toContain('"linkId":"kept"');
    await sender.ask(frameOf('kept', 5, 10));
    await channel('set', ...at(), '--link', 'kept', 'snr-db=2');
    expect(await channel('restore', ...at(), where)).toMatchObject({ status: 0 });
    const { position, settings } = JSON.parse((await channel('get', ...at(), '--link', 'kept', '--json')).out);
    expect([position, settings.channel.snrDb]).toEqual([50, 21]);
    sender.close();
  }, 60_000);

  it('starts with the scenario it is told to, or says why it cannot', async () => {
    const steps = [
      { at: 0, link: 'early', set: { channel: { snrDb: 31 } } },
      { at: 60, set: { channel: { snrDb: 1 } } },
    ];
    const other = await startEmulator(receiver.address, '--scenario', await file('boot.json', { name: 'boot', steps }));
    expect((await channel('scenarios', '--emulator', other.address)).out).toMatch(/^boot: running/);
    expect((await channel('get', '--emulator', other.address, '--link', 'early', '--json')).out).toContain(
      '"snrDb": 31',
    );
    expect(await other.stop()).toBe(0);
    const bad = startEmulator(receiver.address, '--scenario', await file('bad.json', { steps: [] }));
    await expect(bad).rejects.toThrow('bad.json: steps is "0 steps"; give a list of 1 to 10000 steps');
  }, 60_000);
});
