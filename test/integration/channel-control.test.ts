import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeSymbols } from '../../shared/codec/symbols.js';
import {
  ChannelChange,
  ChannelConfigSchema,
  ChannelEmulatorService,
  type ChannelSnapshot,
  ScenarioAction,
  ScenarioState,
  type ScenarioStatus,
  type WatchChannelResponse,
} from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import type { SymbolFrame } from '../../shared/gen/semlink/v1/frame_pb.js';
import { createRpcClient } from '../../shared/rpc/client.js';
import { Code } from '../../shared/rpc/errors.js';
import type { ServerHandle } from '../../shared/rpc/server.js';
import { scrape } from '../telemetry/exposition-parse.js';
import {
  type EmulatorProcess,
  frameOf,
  smallHeap,
  startEmulator,
  startEmulatorIn,
  startReceiver,
  startSender,
  until,
} from './channel.fixture.js';
import { residentBytes } from './link.fixture.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const arrived: SymbolFrame[] = [];
let receiver: ServerHandle;
let emulator: EmulatorProcess;
beforeAll(async () => {
  receiver = await startReceiver((frame) => arrived.push(frame));
  emulator = await startEmulator(receiver.address, '--seed', '7', '--channel-snr-db', '4');
});
afterAll(async () => {
  expect(await emulator?.stop()).toBe(0);
  await receiver?.drain();
});

function sender(address = emulator.address, options: Parameters<typeof startSender>[1] = {}) {
  const one = startSender(address, options);
  cleanups.push(one.close);
  return one;
}

const awgn = { case: 'awgn' as const, value: {} };
const patchOf = (patch: object) => JSON.stringify(patch);

describe('SetChannel, GetChannel and ResetChannel', () => {
  it('change what a patch names, for frames that come later, and forget it again', async () => {
    const { client, ask } = sender();
    const linkId = 'patched';
    await client.setChannel({ linkId, patch: patchOf({ channel: { model: 'rician-block', kFactorDb: 3 } }) });
    await client.setChannel({ linkId, patch: patchOf({ channel: { snrDb: 11 }, air: { symbolRateHz: 2e6 } }) });
    const set = await client.getChannel({ linkId });
    expect(JSON.parse(set.settings)).toMatchObject({
      channel: { model: 'rician-block', kFactorDb: 3, snrDb: 11 },
      budget: null,
      air: { symbolRateHz: 2e6, realTime: false },
      feedback: { pilots: null },
    });
    expect(set).toMatchObject({ own: true, seed: 7n, channel: { snrDb: 11, model: { case: 'ricianBlock' } } });
    arrived.length = 0;
    const result = await ask(frameOf(linkId, 0, 64));
    expect(arrived[0]!.channel).toMatchObject({ model: 'rician-block', snrDb: 11 });
    // 64 symbols at 2 MBd.
    expect(result.timings).toMatchObject({ airNanos: 32_000n, airWaitNanos: 0n, delayNanos: 0n });
    await client.resetChannel({ linkId });
    await expect(client.getChannel({ linkId })).resolves.toMatchObject({
      own: false,
      position: 64n,
      channel: { snrDb: 4, model: { case: 'awgn' } },
    });
  });

  it('change every link at once, or none', async () => {
    const other = await startEmulator(receiver.address);
    cleanups.push(() => other.stop());
    const { client } = sender(other.address);
    for (const linkId of ['a', 'b']) {
      await client.setChannel({ linkId, patch: patchOf({ channel: { model: 'jakes', snrDb: 3, dopplerHz: 70 } }) });
    }
    const seen = async () => {
      const all = await Promise.all(['', 'a', 'b'].map((linkId) => client.getChannel({ linkId })));
      return all.map(({ settings }) => JSON.parse(settings).channel).map(({ model, snrDb }) => `${model} ${snrDb}`);
    };
    await client.setChannel({ everyLink: true, patch: patchOf({ channel: { snrDb: 8 } }) });
    expect(await seen()).toEqual(['awgn 8', 'jakes 8', 'jakes 8']);
    // 70 Hz is a good Doppler shift for a and b, and means nothing to the default.
    const refused = client.setChannel({ everyLink: true, patch: patchOf({ channel: { dopplerHz: 5 } }) });
    await expect(refused).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
    await expect(client.setChannel({ everyLink: true, linkId: 'a', patch: '{}' })).rejects.toMatchObject({
      message: 'link_id is "a"; leave it empty: every_link means all of them',
    });
    expect(await seen()).toEqual(['awgn 8', 'jakes 8', 'jakes 8']);
  });

  it('make the SNR of path loss and noise floor', async () => {
    const { client, ask } = sender();
    const linkId = 'budget';
    const linkBudget = { transmitPowerDbm: 20, pathLossDb: 110, noiseFloorDbm: -107 };
    await client.setChannel({ linkId, channel: { model: awgn, linkBudget } });
    arrived.length = 0;
    await ask(frameOf(linkId, 0));
    expect(arrived[0]!.channel!.snrDb).toBe(17);
    await client.setChannel({ linkId, patch: patchOf({ budget: { pathLossDb: 120 } }) });
    await ask(frameOf(linkId, 1));
    expect(arrived[1]!.channel!.snrDb).toBe(7);
    await expect(client.getChannel({ linkId })).resolves.toMatchObject({
      channel: { snrDb: 7, linkBudget: { pathLossDb: 120 } },
    });
  });

  it('refuse what is out of range with a sentence; what is set stays, and other links never hear of it', async () => {
    const { client, ask } = sender();
    const linkId = 'careful';
    await client.setChannel({ linkId, patch: patchOf({ channel: { snrDb: 9 } }) });
    const before = await client.getChannel({ linkId });
    const budget = { transmitPowerDbm: 20, pathLossDb: 110, noiseFloorDbm: -107 };
    const config = (change: object) => create(ChannelConfigSchema, { model: awgn, ...change });
    const refused: [object, string][] = [
      [{ patch: '{' }, 'patch is "{"; it is not JSON'],
      [{ patch: '{}', channel: config({}) }, 'patch is "{}"; give either channel or patch'],
      [{ patch: patchOf({ channel: { snrDb: 61 } }) }, 'snr_db is 61; use an average Es/N0 of -40 to 60 dB'],
      [{ patch: patchOf({ channel: { dopplerHz: 5 } }) }, 'patch: channel.dopplerHz is 5; awgn has model, snrDb'],
      [{ patch: patchOf({ channel: { model: 'jakes', dopplerHz: 1e9 } }) }, 'doppler_hz is 1000000000; use'],
      [{ patch: patchOf({ air: { symbolRateHz: 0 } }) }, 'air.symbolRateHz is 0; use'],
      [{ patch: patchOf({ air: { jitterMs: -1 } }) }, 'air.jitterMs is -1; use'],
      [{ patch: patchOf({ feedback: { bits: 99 } }) }, 'feedback.bits is 99; use'],
      [{ patch: patchOf({ feedback: { lossProbability: 2 } }) }, 'feedback.lossProbability is 2; use'],
      [{ patch: patchOf({ feedback: { pilots: { count: 0 } } }) }, 'feedback.pilots.count is 0; use'],
      [
        { channel: config({ snrDb: 3, linkBudget: budget }) },
        'channel.snr_db is 3; leave it out: channel.link_budget makes it 17 dB',
      ],
      [{ channel: config({ linkBudget: { ...budget, pathLossDb: 0 } }) }, 'is 127; choose power'],
      [{ channel: config({ snrDb: 3, air: { symbolRateHz: -1 } }) }, 'air.symbolRateHz is -1'],
      [
        { channel: config({ snrDb: 3, air: { symbolRateHz: 1e6, jitterNanos: 10n ** 16n } }) },
        'air.jitterMs is 10000000000',
      ],
      [
        { channel: config({ snrDb: 3, feedback: { leastSnrDb: 9 } }) },
        'feedback.leastSnrDb is 9; use less than feedback.greatestSnrDb',
      ],
    ];
    for (const [request, message] of refused) {
      await expect(client.setChannel({ linkId, ...request }), message).rejects.toMatchObject({
        code: Code.INVALID_ARGUMENT,
        message: expect.stringContaining(message),
      });
    }
    await expect(client.resetChannel({})).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
    expect(await client.getChannel({ linkId })).toEqual(before);
    expect((await ask(frameOf('bystander', 0))).outcome.case).toBe('classification');
  });
});

describe('WatchChannel', () => {
  it('tells what is set, then every change, by whom', async () => {
    const { client } = sender();
    const events: WatchChannelResponse[] = [];
    const call = client.watchChannel({});
    call.on('data', (event: WatchChannelResponse) => events.push(event));
    call.on('error', () => {});
    await until(() => events.some(({ linkId }) => linkId === ''));
    await client.setChannel({ linkId: 'watched', patch: patchOf({ channel: { snrDb: 1 } }) });
    await client.resetChannel({ linkId: 'watched' });
    const mine = () => events.filter(({ linkId }) => linkId === 'watched');
    await until(() => mine().length === 2);
    expect(events[0]).toMatchObject({ linkId: '', change: ChannelChange.INITIAL, channel: { snrDb: 4 } });
    expect(mine()).toMatchObject([
      { change: ChannelChange.SET, channel: { snrDb: 1 }, skipped: 0n },
      { change: ChannelChange.RESET, channel: { snrDb: 4 } },
    ]);
    expect(Math.abs(Number(mine()[0]!.timeUnixNano / 1_000_000n) - Date.now())).toBeLessThan(60_000);
    call.cancel();
  });

  it('follows one link over time', async () => {
    const { client, ask } = sender();
    const events: WatchChannelResponse[] = [];
    const call = client.watchChannel({ linkId: 'followed', intervalNanos: 20_000_000n });
    call.on('data', (event: WatchChannelResponse) => events.push(event));
    call.on('error', () => {});
    await until(() => events.length > 0);
    for (let i = 0; i < 5; i++) await ask(frameOf('followed', i, 100));
    await until(() => events.at(-1)!.position === 500n);
    expect(events.at(-1)!.change).toBe(ChannelChange.INTERVAL);
    call.cancel();
    const refused = client.watchChannel({ intervalNanos: 20_000_000n });
    await expect(new Promise((_, reject) => refused.on('error', reject).resume())).rejects.toMatchObject({
      details: 'interval_nanos is 20000000; name the link that it is for, or use 0',
    });
  });

  it('costs nothing to others when the watcher does not read, and it gets the newest when it does', async () => {
    const other = await startEmulatorIn(smallHeap, receiver.address);
    cleanups.push(() => other.stop());
    const { client, ask } = sender(other.address);
    const reader = createRpcClient(ChannelEmulatorService, { address: other.address });
    cleanups.push(() => reader.close());
    const call = reader.watchChannel({});
    call.on('error', () => {});
    // Nothing is read from here on, though changes come.
    call.pause();
    const change = async (count: number) => {
      for (let i = 0; i < count; i += 100) {
        await Promise.all(
          Array.from({ length: 100 }, (_, j) =>
            client.setChannel({ linkId: `noisy-${j % 20}`, patch: patchOf({ channel: { snrDb: (i + j) % 50 } }) }),
          ),
        );
      }
    };
    await change(1_000);
    const before = await residentBytes(other.process.pid!);
    await change(4_000);
    const after = await residentBytes(other.process.pid!);
    // A kilobyte and a half kept of each change would be this.
    if (before && after) expect(after - before).toBeLessThan(6 * 1024 * 1024);
    expect((await ask(frameOf('undisturbed', 0))).outcome.case).toBe('classification');
    await client.setChannel({ linkId: 'noisy-3', patch: patchOf({ channel: { snrDb: 59 } }) });
    const events: WatchChannelResponse[] = [];
    call.on('data', (event: WatchChannelResponse) => events.push(event));
    call.resume();
    await until(() => events.some(({ linkId, channel }) => linkId === 'noisy-3' && channel?.snrDb === 59));
    const skipped = events.reduce((sum, event) => sum + event.skipped, 0n);
    expect(events.length).toBeLessThan(4_000);
    expect(skipped).toBeGreaterThan(1_000n);
    call.cancel();
  });

  it('ends with a sentence when the emulator stops', async () => {
    const other = await startEmulator(receiver.address);
    const { client } = sender(other.address);
    const call = client.watchChannel({});
    const ended = new Promise((_, reject) => call.on('error', reject));
    await new Promise((resolve) => call.once('data', resolve));
    const stopped = other.stop();
    await expect(ended).rejects.toMatchObject({ details: 'the channel-emulator is stopping; watch again' });
    expect(await stopped).toBe(0);
  });
});

describe('admin-listen', () => {
  it('takes control away from the data port, and symbols from the admin port', async () => {
    const other = await startEmulator(receiver.address, '--admin-listen', '127.0.0.1:0');
    cleanups.push(() => other.stop());
    expect(other.adminAddress).toMatch(/^127\.0\.0\.1:\d+$/);
    const data = sender(other.address);
    const admin = sender(other.adminAddress, { reconnectWaitMs: 200 });
    await admin.client.setChannel({ linkId: 'a', patch: patchOf({ channel: { snrDb: 13 } }) });
    arrived.length = 0;
    expect((await data.ask(frameOf('a', 0))).outcome.case).toBe('classification');
    expect(arrived[0]!.channel!.snrDb).toBe(13);
    for (const call of [() => data.client.setChannel({ patch: '{}' }), () => data.client.getChannel({})]) {
      await expect(call()).rejects.toMatchObject({
        code: Code.FAILED_PRECONDITION,
        message: expect.stringContaining('this port carries symbols only; ask at admin-listen'),
      });
    }
    const error = await admin.ask(frameOf('a', 1));
    expect(error.outcome.value).toMatchObject({ message: expect.stringContaining('this port is for control') });
    await expect(admin.client.getChannel({ linkId: 'a' })).resolves.toMatchObject({ position: 8n });
  });
});

async function snapshotOf(client: ReturnType<typeof sender>['client']): Promise<ChannelSnapshot[]> {
  const parts: ChannelSnapshot[] = [];
  const call = client.snapshotChannels({});
  for await (const { part } of call) parts.push(part!);
  return parts;
}

describe('SnapshotChannels and RestoreChannels', () => {
  it('let another process go on to the bit after a kill', async () => {
    const first = await startEmulator(receiver.address, '--seed', '99');
    const one = sender(first.address);
    await one.client.setChannel({
      linkId: 'fading',
      patch: patchOf({ channel: { model: 'rayleigh-block', snrDb: 3, coherenceSymbols: 10 }, air: { jitterMs: 2 } }),
    });
    for (let i = 0; i < 30; i++) for (const id of ['fading', 'plain']) await one.ask(frameOf(id, i, 5 + i));
    const parts = await snapshotOf(one.client);
    arrived.length = 0;
    for (let i = 30; i < 40; i++) for (const id of ['fading', 'plain']) await one.ask(frameOf(id, i, 17));
    const expected = arrived.splice(0).map((frame) => ({ symbols: decodeSymbols(frame), gains: frame.channel!.gains }));
    first.process.kill('SIGKILL');
    await first.ended;
    const second = await startEmulator(receiver.address, '--seed', '5', '--channel-model', 'rayleigh-fast');
    cleanups.push(() => second.stop());
    const two = sender(second.address);
    for (const part of parts) await two.client.restoreChannels({ part });
    for (let i = 30; i < 40; i++) for (const id of ['fading', 'plain']) await two.ask(frameOf(id, i, 17));
    expect(arrived.map((frame) => ({ symbols: decodeSymbols(frame), gains: frame.channel!.gains }))).toEqual(expected);
    await expect(two.client.restoreChannels({})).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
  });
});

describe('RunScenario', () => {
  const statusesOf = (client: ReturnType<typeof sender>['client'], scenario: object, detach = false) => {
    const statuses: ScenarioStatus[] = [];
    const call = client.runScenario({ scenario: JSON.stringify(scenario), detach });
    call.on('data', ({ status }) => statuses.push(status!));
    const ended = new Promise<{ code: number; details: string }>((resolve) => call.on('status', resolve));
    call.on('error', () => {});
    return { statuses, ended, call };
  };
  const snr = (snrDb: number) => ({ channel: { snrDb } });

  it('changes links at its times and tells how it goes', async () => {
    const { client, ask } = sender();
    const { statuses, ended } = statusesOf(client, {
      name: 'short',
      steps: [
        { at: 0, link: 'driven', set: snr(20) },
        { at: 0.1, link: 'driven', ramp: snr(0), over: 0.3 },
      ],
    });
    await until(() => statuses.length > 0);
    arrived.length = 0;
    for (let i = 0; (await ask(frameOf('driven', i))) && statuses.at(-1)!.state === ScenarioState.RUNNING; i++)
      await sleep(2);
    expect((await ended).code).toBe(Code.OK);
    expect(statuses.at(-1)).toMatchObject({
      name: 'short',
      state: ScenarioState.DONE,
      stepsDone: 2n,
      round: 1,
      rounds: 1,
    });
    const levels = arrived.map((frame) => frame.channel!.snrDb);
    expect(levels[0]).toBe(20);
    // Down the ramp, never up, over several levels.
    expect(levels.every((level, i) => i === 0 || level <= levels[i - 1]!)).toBe(true);
    expect(new Set(levels).size).toBeGreaterThan(3);
    expect(JSON.parse((await client.getChannel({ linkId: 'driven' })).settings).channel.snrDb).toBe(0);
  });

  it('stops when its caller goes away, unless it is detached', async () => {
    const { client } = sender();
    const forEver = (name: string, link: string) => ({
      name,
      loop: { every: 0.1 },
      steps: [{ at: 0, link, set: snr(3) }],
    });
    const attached = statusesOf(client, forEver('attached', 'x'));
    const detached = statusesOf(client, forEver('detached', 'y'), true);
    expect((await detached.ended).code).toBe(Code.OK);
    await until(() => attached.statuses.length > 0);
    const names = async () => (await client.listScenarios({})).scenarios.map(({ name }) => name);
    expect(await names()).toEqual(['attached', 'detached']);
    attached.call.cancel();
    await until(async () => (await names()).length === 1);
    const { status } = await client.controlScenario({ name: 'detached', action: ScenarioAction.PAUSE });
    expect(status).toMatchObject({ state: ScenarioState.PAUSED, rounds: 0 });
    await client.controlScenario({ name: 'detached', action: ScenarioAction.STOP });
    expect(await names()).toEqual([]);
    await expect(client.controlScenario({ name: 'detached', action: ScenarioAction.STOP })).rejects.toMatchObject({
      code: Code.NOT_FOUND,
      message: 'name of the scenario is "detached"; running: none',
    });
    await expect(client.controlScenario({ name: 'detached' })).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
  });

  it('refuses one that contradicts itself, by name, and changes nothing', async () => {
    const { client } = sender();
    const before = await client.getChannel({ linkId: 'torn' });
    const { ended, statuses } = statusesOf(client, {
      steps: [
        { at: 0, link: 'torn', set: snr(20) },
        { at: 1, link: 'torn', ramp: snr(0), over: 5 },
        { at: 3, link: 'torn', set: snr(9) },
      ],
    });
    await expect(ended).resolves.toMatchObject({
      code: Code.INVALID_ARGUMENT,
      details:
        'the scenario contradicts itself: step 3 at 3 s changes channel.snrDb while step 2 ramps channel.snrDb of link "torn" from 1 to 6 s; move one of them',
    });
    expect(statuses).toEqual([]);
    expect(await client.getChannel({ linkId: 'torn' })).toEqual(before);
  });
});

describe('ten thousand links', () => {
  it('take no memory with the frames they carry, and their counts are in the metrics', async () => {
    const other = await startEmulatorIn(smallHeap, receiver.address);
    cleanups.push(() => other.stop());
    const { send, results, client } = sender(other.address);
    const links = 10_000;
    let sequence = 0;
    const round = async () => {
      for (let i = 0; i < links; i++) await send(frameOf(`many-${i}`, sequence, 4));
      sequence++;
      await until(() => results.size === links, 30_000);
      results.clear();
      arrived.length = 0;
    };
    /** The least of resident memory after each of some rounds: garbage comes and goes, what is kept stays. */
    const leastBytes = async (rounds: number) => {
      const bytes: number[] = [];
      for (let i = 0; i < rounds; i++) {
        await round();
        bytes.push((await residentBytes(other.process.pid!)) ?? 0);
      }
      return Math.min(...bytes);
    };
    // The heap grows to what it needs at first, and stays there.
    await leastBytes(4);
    const before = await leastBytes(3);
    const after = await leastBytes(3);
    // At least 30,000 frames lie between them; half a kilobyte kept of each would be this.
    expect(after - before).toBeLessThan(16 * 1024 * 1024);
    await expect(client.getChannel({ linkId: 'many-9999' })).resolves.toMatchObject({ position: 40n });
    const metrics = await scrape(`http://${other.metricsAddress}`);
    expect(metrics.value('semlink_links_known')).toBe(links);
  }, 120_000);
});

describe('metrics', () => {
  it('count changes by who made them, and watchers while they watch', async () => {
    const { client } = sender();
    const call = client.watchChannel({});
    call.on('error', () => {});
    await new Promise((resolve) => call.once('data', resolve));
    const before = await scrape(`http://${emulator.metricsAddress}`);
    await client.setChannel({ linkId: 'counted', patch: patchOf({ channel: { snrDb: 1 } }) });
    await client.resetChannel({ linkId: 'counted' });
    const after = await scrape(`http://${emulator.metricsAddress}`);
    for (const by of ['set', 'reset']) {
      const changes = (seen: typeof after) => seen.value('semlink_channel_changes_total', { by })!;
      expect(changes(after) - changes(before)).toBe(1);
    }
    expect(after.value('semlink_channel_changes_total', { by: 'scenario' })).toBeGreaterThan(5);
    expect(after.value('semlink_channel_watchers')).toBe(1);
    expect(after.value('semlink_scenarios_running')).toBe(0);
    call.cancel();
    await until(
      async () => (await scrape(`http://${emulator.metricsAddress}`)).value('semlink_channel_watchers') === 0,
    );
  });
});
