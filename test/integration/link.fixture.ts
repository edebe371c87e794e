/** A whole link for tests: the three services as processes on free ports, real images, and ways to look inside. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Overrides } from '../../deploy/local/local-link.js';
import { type ServiceProcess, startProcesses } from '../../deploy/local/processes.js';
import { projectRoot } from '../../shared/build/compiled.js';
import type { LinkAnswer, LinkImage, SemanticLink } from '../../shared/client/link.js';
import { chooseModel, openModels, type PublishedModel } from '../../shared/codec/model-folder.js';
import { openCifar10 } from '../../shared/data/cifar10.js';
import { isReadable } from '../../shared/data/source.js';
import { ChannelEmulatorService } from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import type { FrameError, FrameResult } from '../../shared/gen/semlink/v1/frame_pb.js';
import { createRpcClient, type RpcClient } from '../../shared/rpc/client.js';
import { SERVICES, type ServiceName } from '../../shared/telemetry/index.js';
import { type Scrape, scrape } from '../telemetry/exposition-parse.js';

/** An image with its place in the source and its right class. */
export type TestImage = LinkImage & { index: number; label: number };

export interface TestLink {
  readonly processes: Record<ServiceName, ServiceProcess>;
  /** gRPC address of the transmitter-encoder. */
  readonly address: string;
  /** Control of the channels. */
  readonly emulator: RpcClient<typeof ChannelEmulatorService.method>;
  /** Log lines of every service. */
  readonly log: Record<ServiceName, string[]>;
  scrape(role: ServiceName): Promise<Scrape>;
  /** Drains all services; whether each of them ended with status 0. */
  stop(): Promise<boolean>;
}

/** `overrides` as for `startProcesses`; addresses are free ports. */
export async function startTestLink(overrides: Overrides = {}, env: NodeJS.ProcessEnv = {}): Promise<TestLink> {
  const log = Object.fromEntries(SERVICES.map((role) => [role, [] as string[]])) as TestLink['log'];
  const free = { listen: '127.0.0.1:0', 'metrics.listen': '127.0.0.1:0' };
  const own = Object.fromEntries(SERVICES.map((role) => [role, { ...free, ...overrides[role] }]));
  const local = await startProcesses(own, { env, onLog: (role, line) => log[role].push(line) });
  const { processes } = local;
  const emulator = createRpcClient(ChannelEmulatorService, { address: processes['channel-emulator'].address });
  return {
    processes,
    address: processes['transmitter-encoder'].address,
    emulator,
    log,
    scrape: (role) => scrape(`http://${processes[role].metricsAddress}`),
    async stop() {
      emulator.close();
      return local.stop();
    },
  };
}

/** Kills what is left of some processes; for `afterAll`, where nothing may be awaited in vain. */
export function killAll(processes: Iterable<ServiceProcess | undefined>): void {
  for (const one of processes) one?.process.kill('SIGKILL');
}

/** The first CIFAR-10 test images. */
export async function testImages(count: number): Promise<TestImage[]> {
  const source = await openCifar10('test');
  const images: TestImage[] = [];
  for await (const one of source.images({ limit: count })) {
    if (!isReadable(one) || one.label === undefined) throw new Error(`${one.name} cannot be used`);
    images.push({ rgb: one.rgb, width: source.width, height: source.height, label: one.label, index: one.index });
  }
  return images;
}

/** The model that services without a setting of their own serve by default, as published. */
export async function defaultModel(): Promise<PublishedModel> {
  const folder = path.join(projectRoot, 'shared/models');
  return chooseModel(folder, await openModels(folder), '');
}

/** Sends images over a link as fast as it takes them; the answers in the order of the images. */
export async function sendAll(
  link: SemanticLink,
  images: readonly TestImage[],
  onAnswer: (count: number) => void = () => {},
): Promise<LinkAnswer<TestImage>[]> {
  const answers = new Map<number, LinkAnswer<TestImage>>();
  const feed = async function* () {
    for (const image of images) yield { image, context: image };
  };
  let count = 0;
  for await (const answer of link.transmit(feed())) {
    if (answers.has(answer.context.index)) throw new Error(`image ${answer.context.index} was answered twice`);
    answers.set(answer.context.index, answer);
    onAnswer(++count);
  }
  return images.map(({ index }) => {
    const answer = answers.get(index);
    if (!answer) throw new Error(`image ${index} has no answer`);
    return answer;
  });
}

export function classificationOf({ outcome }: FrameResult) {
  if (outcome.case === 'classification') return outcome.value;
  throw new Error(`no classification but ${outcome.case}: ${outcome.value?.message}`);
}

export function errorOf({ outcome }: FrameResult): FrameError | undefined {
  return outcome.case === 'error' ? outcome.value : undefined;
}

/** Share of answers that are right, 0 to 1. */
export function accuracyOf(answers: readonly LinkAnswer<TestImage>[]): number {
  const right = answers.filter(({ result, context }) => classificationOf(result).label === context.label);
  return right.length / answers.length;
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Waits until something holds; throws what was waited for when it does not within `limitMs`. */
export async function until(holds: () => boolean | Promise<boolean>, limitMs = 15_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`still not so after ${limitMs} ms: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Resident memory of a process, bytes; undefined where the system does not say. */
export async function residentBytes(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}
