/** Makes the services, the teacher-cache and the jobs do everything that the telemetry schema has a name for. */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { create } from '@bufbuild/protobuf';
import { type ServiceProcess, startServiceProcess } from '../../deploy/local/processes.js';
import { colourModel, writeColourModel } from '../../services/teacher/onnx.fixture.js';
import { KnowledgeClient } from '../../shared/client/knowledge.js';
import { SemanticLink } from '../../shared/client/link.js';
import {
  ChannelEmulatorService,
  type ChannelSnapshot,
  ScenarioAction,
} from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { ReceiveRequestSchema, ReceiverDecoderService } from '../../shared/gen/semlink/v1/receiver_decoder_pb.js';
import { FolderStore } from '../../shared/knowledge/folder-store.js';
import { MANIFEST } from '../../shared/knowledge/publish.js';
import {
  sampleDescription,
  sampleShards,
  temporaryStore,
  writeSampleSet,
} from '../../shared/knowledge/sample-set.fixture.js';
import { shardFile } from '../../shared/knowledge/shard.js';
import { createRpcClient, type RpcClient } from '../../shared/rpc/client.js';
import { type InstrumentedService, type JobName, SERVICES } from '../../shared/telemetry/index.js';
import { killAll, sendAll, startTestLink, type TestLink, testImages, until } from '../integration/link.fixture.js';
import { childrenOf, knowsChildren, semlink, startSemlink } from '../integration/semlink-command.fixture.js';
import { type Scrape, scrape } from './exposition-parse.js';
import { type ReceivedSpan, startOtlpReceiver } from './otlp-receiver.js';

/** What left the processes. */
export interface Everything {
  readonly scrapes: Partial<Record<InstrumentedService | JobName, Scrape[]>>;
  /** Of a service with workers, one of which has been killed; undefined where the system does not tell which they are. */
  readonly workers: Scrape | undefined;
  readonly spans: readonly ReceivedSpan[];
  readonly log: readonly Record<string, unknown>[];
}

type Emulator = RpcClient<typeof ChannelEmulatorService.method>;

/** Runs all of it to its end. */
export async function seeEverything(): Promise<Everything> {
  const collector = await startOtlpReceiver();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpEndpoint, OTEL_BSP_SCHEDULE_DELAY: '100' };
  const scrapes: Everything['scrapes'] = {};
  const lines: string[] = [];
  try {
    Object.assign(scrapes, await useLink(env, lines));
    const workers = await useWorkers(env, lines);
    const folder = await mkdtemp(path.join(tmpdir(), 'semlink-everything-'));
    try {
      const cache = await startCache(env, lines);
      try {
        scrapes['teacher-cache'] = [await useCache(cache)];
        scrapes.teacher = await teach(folder, cache.address, env);
      } finally {
        await cache.stop();
      }
      scrapes.distiller = await distill(folder, env);
    } finally {
      await rm(folder, { recursive: true });
    }
    return {
      scrapes,
      workers,
      spans: collector.spans,
      log: lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    };
  } finally {
    await collector.close();
  }
}

/** Images, faults and channels of all kinds over the three services. */
async function useLink(env: NodeJS.ProcessEnv, lines: string[]): Promise<Everything['scrapes']> {
  const options = {
    'transmitter-encoder': { 'trace.sampleRatio': 1 },
    'channel-emulator': { adminListen: '127.0.0.1:0' },
    'receiver-decoder': { 'recheck.share': 1 },
  };
  const local = await startTestLink(options, env);
  const scrapes: Everything['scrapes'] = {};
  const emulator = createRpcClient(ChannelEmulatorService, {
    address: local.processes['channel-emulator'].adminAddress!,
  });
  try {
    await setChannels(emulator);
    await sendImages(local);
    const traced = ['--link', 'traced', '--images', '20', '--trace-sample-ratio', '1'];
    const sent = await semlink(['send', '--to', local.address, ...traced], { env });
    if (sent.status !== 0) throw new Error(`semlink send: ${sent.stderr}`);
    await controlChannels(emulator);
    await refuse(local.processes['receiver-decoder'].address);
    scrapes.console = [await look(local, env, lines)];
    for (const role of SERVICES) scrapes[role] = [await local.scrape(role)];
  } finally {
    emulator.close();
    await local.stop();
    killAll(Object.values(local.processes));
  }
  lines.push(...Object.values(local.log).flat());
  return scrapes;
}

const patch = (linkId: string, change: object) => ({ linkId, patch: JSON.stringify(change) });

async function setChannels(emulator: Emulator): Promise<void> {
  await emulator.setChannel(patch('', { channel: { model: 'awgn', snrDb: 12 } }));
  await emulator.setChannel(patch('lossy', { channel: { model: 'erasure', probability: 1, unit: 'frame' } }));
  await emulator.setChannel(patch('slow', { air: { realTime: true, symbolRateHz: 2_000 } }));
  await emulator.setChannel(patch('deaf', { feedback: { lossProbability: 1 } }));
  const linkBudget = { transmitPowerDbm: 20, pathLossDb: 110, noiseFloorDbm: -107 };
  await emulator.setChannel({ linkId: 'budget', channel: { model: { case: 'awgn', value: {} }, linkBudget } });
}

async function sendImages(local: TestLink): Promise<void> {
  const pictures = await testImages(40);
  for (const linkId of ['plain', 'slow', 'lossy', 'deaf']) {
    const link = new SemanticLink({
      address: local.address,
      linkId,
      policy: { kind: 'target-accuracy', accuracy: 0.7 },
    });
    await sendAll(link, pictures);
    // Of the wrong size: refused.
    if (linkId === 'plain') for (const picture of pictures.slice(0, 8)) await link.classify({ ...picture, width: 16 });
    await link.close();
  }
}

/** A console of the link, with a page open on it. */
async function look({ processes }: TestLink, env: NodeJS.ProcessEnv, lines: string[]): Promise<Scrape> {
  const { 'transmitter-encoder': transmitter, 'channel-emulator': emulator, 'receiver-decoder': receiver } = processes;
  const flags = {
    '--http-listen': '127.0.0.1:0',
    '--metrics-listen': '127.0.0.1:0',
    '--transmitter': transmitter.address,
    '--emulator': emulator.adminAddress!,
    '--watch-transmitter': transmitter.metricsAddress!,
    '--watch-emulator': emulator.metricsAddress!,
    '--watch-receiver': receiver.metricsAddress!,
  };
  const service = await startServiceProcess('console', Object.entries(flags).flat(), {
    env,
    onLog: (line) => lines.push(line),
  });
  try {
    const page = await fetch(`http://${service.address}/api/events`);
    let text = '';
    for await (const chunk of page.body!) {
      text += Buffer.from(chunk).toString();
      if (text.includes('"images":')) break;
    }
    return await scrape(`http://${service.metricsAddress}`);
  } finally {
    await service.stop();
  }
}

/** Resets, keeps and restores, drives by scenarios. */
async function controlChannels(emulator: Emulator): Promise<void> {
  await emulator.resetChannel({ linkId: 'deaf' });
  const parts: ChannelSnapshot[] = [];
  for await (const { part } of emulator.snapshotChannels({})) parts.push(part!);
  for (const part of parts) await emulator.restoreChannels({ part });
  const steps = [{ at: 0, link: 'driven', set: { channel: { snrDb: 3 } } }];
  const short = emulator.runScenario({ scenario: JSON.stringify({ name: 'short', steps }) });
  for await (const _ of short);
  const long = { name: 'long', loop: { every: 0.1 }, steps };
  for await (const _ of emulator.runScenario({ scenario: JSON.stringify(long), detach: true }));
  await emulator.controlScenario({ name: 'long', action: ScenarioAction.STOP });
}

/** A frame that the receiver cannot take: it has been over no channel. */
async function refuse(address: string): Promise<void> {
  const client = createRpcClient(ReceiverDecoderService, { address });
  const call = client.receive();
  const header = { linkId: 'wrong', sequence: 1n, captureTimeUnixNano: 1n };
  call.write(create(ReceiveRequestSchema, { frames: [{ header, channelUses: 1, iq: new Uint8Array(4) }] }));
  for await (const { results } of call) if (results.length > 0) break;
  call.cancel();
  client.close();
}

/** A service of two workers, one of which is killed and started again. */
async function useWorkers(env: NodeJS.ProcessEnv, lines: string[]): Promise<Scrape | undefined> {
  if (!knowsChildren) return undefined;
  const own: string[] = [];
  const flags = [
    '--workers',
    '2',
    '--listen',
    '127.0.0.1:0',
    '--metrics-listen',
    '127.0.0.1:0',
    '--receiver',
    '127.0.0.1:9',
  ];
  const service = await startServiceProcess('channel-emulator', flags, { env, onLog: (line) => own.push(line) });
  try {
    const [worker] = await childrenOf(service.process.pid!);
    process.kill(worker!.pid, 'SIGKILL');
    await until(() => own.some((line) => line.includes('serves again')), 30_000);
    return await scrape(`http://${service.metricsAddress}`);
  } finally {
    await service.stop();
    lines.push(...own);
  }
}

interface Cache extends ServiceProcess<'teacher-cache'> {
  readonly folder: string;
}

async function startCache(env: NodeJS.ProcessEnv, lines: string[]): Promise<Cache> {
  const { url: folder } = await temporaryStore();
  const flags = ['--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0', '--store', folder];
  const service = await startServiceProcess('teacher-cache', flags, { env, onLog: (line) => lines.push(line) });
  return { ...service, folder };
}

/** Stores knowledge, reads it in every way, and finds some of it damaged. */
async function useCache({ address, metricsAddress, folder }: Cache): Promise<Scrape> {
  const client = new KnowledgeClient({ address });
  try {
    const knowledge = sampleDescription();
    for (const { entry, file } of sampleShards(knowledge)) await client.put('set', knowledge, entry, file);
    for await (const _ of client.stream('set'));
    // For a job that is traced elsewhere.
    await client.get('set', [1, 2, 3], `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`);
    await client.sets();
    const damaged = await writeSampleSet(new FolderStore(path.join(folder, 'damaged')));
    const file = path.join(folder, 'damaged', shardFile(sampleShards(damaged)[1]!.layout.header));
    const bytes = await readFile(file);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(file, bytes);
    const read = async () => {
      for await (const _ of client.stream('damaged'));
    };
    await read().catch(() => undefined);
    // A file that is a way to itself: the store fails, which is no fault of the caller's.
    await mkdir(path.join(folder, 'odd'));
    await symlink(MANIFEST, path.join(folder, 'odd', MANIFEST));
    await client.get('odd', [1]).catch(() => undefined);
    return await scrape(`http://${metricsAddress}`);
  } finally {
    client.close();
  }
}

/** A small teacher of our own teaches a set into the teacher-cache. */
async function teach(folder: string, cache: string, env: NodeJS.ProcessEnv): Promise<Scrape[]> {
  await writeColourModel(path.join(folder, 'teacher.onnx'), colourModel(1, 32));
  const spec = path.join(folder, 'teacher.json');
  await writeFile(spec, JSON.stringify({ name: 'colours', members: [{ kind: 'onnx', file: 'teacher.onnx' }] }));
  const views = ['--images', '4000', '--views', '10', '--images-per-shard', '500'];
  return scrapesOf(
    ['teach', '--teacher', spec, ...views, '--teacher-cache', cache, '--set', 'taught'],
    env,
    'semlink_teaching_views_total',
  );
}

async function distill(folder: string, env: NodeJS.ProcessEnv): Promise<Scrape[]> {
  const small = ['--size', 's', '--channel-uses', '64', '--images', '640', '--batch-size', '32', '--threads', '1'];
  const places = ['--models', path.join(folder, 'models'), '--work', path.join(folder, 'work')];
  const looks = ['--epochs', '2', '--look-epochs', '1', '--calibration-images', '100'];
  return scrapesOf(['distill', ...small, ...looks, ...places], env, 'semlink_training_holdout_accuracy_ratio');
}

/** Runs a job to its end, and looks at its metrics while it runs until one of them is there. */
async function scrapesOf(args: string[], env: NodeJS.ProcessEnv, metric: string): Promise<Scrape[]> {
  const run = startSemlink([...args, '--metrics-listen', '127.0.0.1:0'], { env });
  const address = () => /metrics at (\S+)\/metrics/.exec(run.stdout + run.stderr)?.[1];
  await until(() => address() !== undefined, 60_000);
  const scrapes: Scrape[] = [];
  await until(async () => {
    const one = await scrape(address()!).catch(() => undefined);
    if (one) scrapes[0] = one;
    return (one?.value(metric) ?? 0) > 0;
  }, 60_000);
  const status = await run.ended;
  if (status !== 0) throw new Error(`${args[0]} ended with ${status}: ${run.stderr}`);
  return scrapes;
}
