/** Control calls of the contract mapped to the links, their watchers, snapshots and scenarios. */
import { create } from '@bufbuild/protobuf';
import type { ServerWritableStream } from '@grpc/grpc-js';
import {
  ChannelChange,
  type ChannelEmulatorService,
  ControlScenarioResponseSchema,
  GetChannelResponseSchema,
  ListScenariosResponseSchema,
  ResetChannelResponseSchema,
  RestoreChannelsResponseSchema,
  type RunScenarioRequest,
  type RunScenarioResponse,
  RunScenarioResponseSchema,
  ScenarioAction,
  ScenarioState,
  type ScenarioStatus,
  ScenarioStatusSchema,
  type SetChannelRequest,
  SetChannelResponseSchema,
  type SnapshotChannelsRequest,
  type SnapshotChannelsResponse,
  SnapshotChannelsResponseSchema,
  type WatchChannelRequest,
  type WatchChannelResponse,
  WatchChannelResponseSchema,
} from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import type { ServiceHandlers } from '../../../shared/rpc/adapter.js';
import type { DrainList } from '../../../shared/rpc/drain-list.js';
import { failedPrecondition, invalidArgument } from '../../../shared/rpc/errors.js';
import { checkLinkId } from '../../../shared/rpc/frame-header.js';
import { LOG_FIELDS, type LogFields, nowUnixNano, type Telemetry } from '../../../shared/telemetry/index.js';
import type { Links } from '../links.js';
import type { ScenarioProgress } from '../scenario/player.js';
import type { Scenarios } from '../scenario/scenarios.js';
import type { SymbolTaps } from '../symbols/symbol-taps.js';
import { watchSymbols } from '../symbols/watch-symbols.js';
import { tieToStream } from '../watch-stream.js';
import { linkMessageOf, linkSettingsFrom } from './link-messages.js';
import type { LinkSettings } from './link-settings.js';
import { settingsJson } from './settings-json.js';
import { patchSettings } from './settings-patch.js';
import { restorePart, snapshotParts } from './snapshot.js';
import { type WatchEvent, Watcher } from './watchers.js';

export interface ControlParts {
  links: Links;
  scenarios: Scenarios;
  telemetry: Telemetry;
  drains: DrainList;
  /** Shows symbols that pass to who watches them. */
  taps: SymbolTaps;
}

/** The calls by which channels are controlled; all of the service but the stream of symbols. */
export type ControlHandlers = Omit<ServiceHandlers<typeof ChannelEmulatorService.method>, 'propagate'>;

const leastIntervalNanos = 10_000_000n;
/** A status of a scenario is told no more often, ms, unless a step has come into force. */
const statusEveryMs = 200;

export function controlHandlers(parts: ControlParts): ControlHandlers {
  const { links, scenarios, telemetry } = parts;
  return {
    setChannel: (request) => {
      const linkIds = setChannels(links, request);
      const named = { link: request.linkId || undefined, links: linkIds.length };
      telemetry.logger.info({ ...named, ...summary(links.settingsOf(request.linkId)) }, 'channel set');
      return create(SetChannelResponseSchema);
    },
    getChannel: ({ linkId }) => {
      checkOptionalId(linkId);
      const settings = links.settingsOf(linkId);
      return create(GetChannelResponseSchema, {
        channel: linkMessageOf(settings),
        seed: links.seed,
        position: BigInt(links.positionOf(linkId)),
        settings: settingsJson(settings),
        own: links.hasOwn(linkId),
      });
    },
    resetChannel: ({ linkId }) => {
      checkLinkId(linkId);
      links.reset(linkId);
      telemetry.logger.info({ link: linkId }, 'channel reset to the default');
      return create(ResetChannelResponseSchema);
    },
    watchChannel: (call) => watch(parts, call),
    watchSymbols: (call) => watchSymbols(parts, call),
    snapshotChannels: (call) => sendSnapshot(parts, call),
    restoreChannels: ({ part }) => {
      restorePart(links, part);
      telemetry.logger.info(
        { links: part?.links.length, default_channel: part?.defaultChannel !== undefined },
        'channels restored',
      );
      return create(RestoreChannelsResponseSchema, { links: BigInt(links.size) });
    },
    runScenario: (call) => runScenario(parts, call),
    controlScenario: ({ name, action }) => {
      const known = actions[action];
      if (!known) throw invalidArgument('action', ScenarioAction[action] ?? action, 'use PAUSE, RESUME or STOP');
      const progress = scenarios.control(name, known);
      telemetry.logger.info({ scenario: name, state: progress.state }, 'scenario controlled');
      return create(ControlScenarioResponseSchema, { status: statusOf(progress) });
    },
    listScenarios: () => create(ListScenariosResponseSchema, { scenarios: scenarios.list().map(statusOf) }),
  };
}

/** On the data port when there is an admin port: says where to ask. */
export function refusingHandlers(): ControlHandlers {
  const refuse = (name: string) => (): never => {
    throw failedPrecondition(
      name,
      'an admin call',
      'this port carries symbols only; ask at admin-listen of the channel-emulator',
    );
  };
  return {
    setChannel: refuse('SetChannel'),
    getChannel: refuse('GetChannel'),
    resetChannel: refuse('ResetChannel'),
    watchChannel: refuse('WatchChannel'),
    watchSymbols: refuse('WatchSymbols'),
    snapshotChannels: refuse('SnapshotChannels'),
    restoreChannels: refuse('RestoreChannels'),
    runScenario: refuse('RunScenario'),
    controlScenario: refuse('ControlScenario'),
    listScenarios: refuse('ListScenarios'),
  };
}

/** Sets one link, the default, or the default and all links of their own: all of them or, when it throws, none. */
function setChannels(links: Links, { linkId, channel, patch, everyLink }: SetChannelRequest): string[] {
  checkOptionalId(linkId);
  if (channel && patch !== '') throw invalidArgument('patch', patch, 'give either channel or patch');
  if (everyLink && linkId !== '')
    throw invalidArgument('link_id', linkId, 'leave it empty: every_link means all of them');
  const change = patch === '' ? undefined : parsed(patch);
  const settingsOf = (id: string): LinkSettings => {
    const base = links.settingsOf(id);
    return change === undefined ? linkSettingsFrom(channel, base) : patchSettings(base, change);
  };
  const linkIds = everyLink ? ['', ...links.ownLinks()] : [linkId];
  const changed = linkIds.map((id) => ({ id, settings: links.checked(settingsOf(id)) }));
  for (const { id, settings } of changed) links.set(id, settings, 'set');
  return linkIds;
}

function checkOptionalId(linkId: string): void {
  if (linkId !== '') checkLinkId(linkId);
}

function parsed(patch: string): unknown {
  try {
    return JSON.parse(patch);
  } catch (error) {
    throw invalidArgument('patch', patch, `it is not JSON: ${(error as Error).message}`);
  }
}

/** For the log. */
function summary({ channel, budget }: LinkSettings): LogFields {
  return {
    [LOG_FIELDS.channelModel]: channel.model,
    [LOG_FIELDS.snrDb]: channel.snrDb,
    ...(budget && { [LOG_FIELDS.budget]: budget }),
  };
}

const changes: Record<WatchEvent['change'], ChannelChange> = {
  initial: ChannelChange.INITIAL,
  set: ChannelChange.SET,
  reset: ChannelChange.RESET,
  scenario: ChannelChange.SCENARIO,
  restore: ChannelChange.RESTORE,
  interval: ChannelChange.INTERVAL,
};

function watch(
  { links, telemetry, drains }: ControlParts,
  call: ServerWritableStream<WatchChannelRequest, WatchChannelResponse>,
): void {
  const { linkId, intervalNanos } = call.request;
  checkOptionalId(linkId);
  if (intervalNanos !== 0n) {
    if (linkId === '') throw invalidArgument('interval_nanos', intervalNanos, 'name the link that it is for, or use 0');
    if (intervalNanos < leastIntervalNanos || intervalNanos > 3_600_000_000_000n) {
      throw invalidArgument('interval_nanos', intervalNanos, `use ${leastIntervalNanos} (10 ms) to an hour, or 0`);
    }
  }
  const closed = telemetry.metrics.channel.watcherOpened();
  const watcher = new Watcher({
    links,
    linkId,
    intervalMs: Number(intervalNanos) / 1e6,
    now: nowUnixNano,
    tell: (event) => call.write(watchMessage(links, event)),
  });
  tieToStream(watcher, call, drains, closed);
}

function watchMessage(links: Links, { linkId, change, skipped, timeUnixNano }: WatchEvent): WatchChannelResponse {
  const settings = links.settingsOf(linkId);
  const long = settings.channel.model === 'trace';
  return create(WatchChannelResponseSchema, {
    linkId,
    ...(!long && { channel: linkMessageOf(settings) }),
    settings: settingsJson(settings),
    position: BigInt(links.positionOf(linkId)),
    change: changes[change],
    timeUnixNano,
    skipped: BigInt(skipped),
  });
}

/** Sends parts as fast as the reader takes them. */
async function sendSnapshot(
  { links }: ControlParts,
  call: ServerWritableStream<SnapshotChannelsRequest, SnapshotChannelsResponse>,
): Promise<void> {
  for (const part of snapshotParts(links)) {
    if (call.cancelled) return;
    if (call.write(create(SnapshotChannelsResponseSchema, { part }))) continue;
    await new Promise<void>((resolve) => {
      call.once('drain', resolve);
      call.once('cancelled', resolve);
    });
  }
  call.end();
}

const actions: Partial<Record<ScenarioAction, 'pause' | 'resume' | 'stop'>> = {
  [ScenarioAction.PAUSE]: 'pause',
  [ScenarioAction.RESUME]: 'resume',
  [ScenarioAction.STOP]: 'stop',
};

const states: Record<ScenarioProgress['state'], ScenarioState> = {
  running: ScenarioState.RUNNING,
  paused: ScenarioState.PAUSED,
  done: ScenarioState.DONE,
  stopped: ScenarioState.STOPPED,
  failed: ScenarioState.FAILED,
};

function statusOf({
  name,
  state,
  elapsed,
  length,
  round,
  rounds,
  stepsDone,
  detail,
}: ScenarioProgress): ScenarioStatus {
  return create(ScenarioStatusSchema, {
    name,
    state: states[state],
    elapsedSeconds: elapsed,
    lengthSeconds: length,
    round: Math.min(round, 2 ** 32 - 1),
    rounds: Number.isFinite(rounds) ? rounds : 0,
    stepsDone: BigInt(stepsDone),
    detail,
  });
}

function runScenario(
  { scenarios, telemetry, drains }: ControlParts,
  call: ServerWritableStream<RunScenarioRequest, RunScenarioResponse>,
): void {
  const { scenario, detach } = call.request;
  let over = false;
  let writable = true;
  let lastAtMs = Number.NEGATIVE_INFINITY;
  let lastSteps = -1;
  const finish = (): void => {
    over = true;
    clearInterval(timer);
    undrain();
  };
  /** A caller that does not read misses statuses, but not the last. */
  const tell = (progress: ScenarioProgress): void => {
    if (over) return;
    const ended = progress.state !== 'running' && progress.state !== 'paused';
    const now = performance.now();
    const news = progress.stepsDone !== lastSteps || progress.state === 'paused' || now - lastAtMs >= statusEveryMs;
    if (!ended && !(writable && news)) return;
    lastAtMs = now;
    lastSteps = progress.stepsDone;
    writable = call.write(create(RunScenarioResponseSchema, { status: statusOf(progress) }));
    if (!ended && !detach) return;
    finish();
    call.end();
  };
  let timer: NodeJS.Timeout | undefined;
  let undrain = (): void => {};
  const name = scenarios.run(scenario, tell);
  telemetry.logger.info({ scenario: name, detach }, 'scenario started');
  if (over) return;
  timer = setInterval(() => {
    const mine = scenarios.list().find((progress) => progress.name === name);
    if (mine) tell(mine);
  }, statusEveryMs);
  const gone = (): void => {
    if (over) return;
    finish();
    scenarios.control(name, 'stop');
  };
  call.on('drain', () => {
    writable = true;
  });
  call.once('cancelled', gone);
  call.once('close', gone);
  undrain = drains.add(() => {
    if (!over) scenarios.control(name, 'stop');
  });
}
