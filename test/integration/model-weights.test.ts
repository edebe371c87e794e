/** Two models served at once: shares of the links by weight, changed while images are under way. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startServiceProcess } from '../../deploy/local/processes.js';
import { SemanticLink } from '../../shared/client/link.js';
import {
  classificationOf,
  killAll,
  sendAll,
  startTestLink,
  type TestImage,
  type TestLink,
  testImages,
  until,
} from './link.fixture.js';

const [OLD, NEW] = ['m-cifar10-3', 's-cifar10-2'];
const LINKS = 40;

let images: TestImage[];
let folder: string;
let weights: string;
let local: TestLink;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'semlink-weights-'));
  weights = path.join(folder, 'weights');
  await writeFile(weights, `${OLD}=100\n`);
  [images, local] = await Promise.all([
    testImages(200),
    startTestLink({
      'transmitter-encoder': { modelWeightsFile: weights, 'rate.policy': 'fixed' },
      'channel-emulator': { 'channel.model': 'awgn', 'channel.snrDb': 10 },
    }),
  ]);
});
afterAll(async () => {
  killAll(Object.values(local?.processes ?? {}));
  local?.emulator.close();
  if (folder) await rm(folder, { recursive: true });
});

/** As a volume of Kubernetes does it: another file in the place of the old. */
async function change(text: string): Promise<void> {
  await writeFile(`${weights}.new`, text);
  await rename(`${weights}.new`, weights);
}

async function use<T>(linkId: string, run: (link: SemanticLink) => Promise<T>, modelVersion?: string): Promise<T> {
  const link = new SemanticLink({ address: local.address, linkId, modelVersion });
  try {
    return await run(link);
  } finally {
    await link.close();
  }
}

/** The model that each of many links gets. */
async function assigned(): Promise<Map<string, string>> {
  const links = Array.from({ length: LINKS }, (_, i) => `canary-${i}`);
  const of = async (linkId: string) =>
    [linkId, (await use(linkId, (link) => link.classify(images[0]!))).result.modelVersion] as const;
  return new Map(await Promise.all(links.map(of)));
}

async function shares(): Promise<Record<string, number>> {
  const models = await use('list', (link) => link.listModels());
  return Object.fromEntries(models.map(({ version, share }) => [version, share]));
}

it('moves a share of the links to the new model and back, and loses no image on the way', {
  timeout: 90_000,
}, async () => {
  expect(new Set((await assigned()).values())).toEqual(new Set([OLD]));
  expect(await shares()).toMatchObject({ [OLD]: 1, [NEW]: 0 });

  // A canary, while a link is sending.
  const under = use('under-way', (link) => sendAll(link, images));
  await change(`${OLD}=75\n${NEW}=25\n`);
  await until(async () => (await shares())[NEW] === 0.25);
  const canary = await assigned();
  const moved = [...canary.values()].filter((version) => version === NEW).length;
  // The links have these names for good, so this number is always the same.
  expect(moved).toBeGreaterThan(3);
  expect(moved).toBeLessThan(20);
  for (const { result } of await under) classificationOf(result);

  // More of it moves links one way only.
  await change(`${OLD}=25,${NEW}=75`);
  await until(async () => (await shares())[NEW] === 0.75);
  const most = await assigned();
  for (const [link, version] of canary) if (version === NEW) expect(most.get(link)).toBe(NEW);

  // What cannot be is not taken, and said once.
  await change(`${OLD}=1,x-cifar10-9=1`);
  await until(() =>
    local.log['transmitter-encoder'].some((line) => line.includes('x-cifar10-9') && line.includes('is not taken')),
  );
  expect(await shares()).toMatchObject({ [NEW]: 0.75 });

  await change(`${OLD}=100`);
  await until(async () => (await shares())[OLD] === 1);
  expect(new Set((await assigned()).values())).toEqual(new Set([OLD]));
});

it('has a frame decoded by the model that encoded it, and lets a link name its own', { timeout: 60_000 }, async () => {
  await change(`${OLD}=50,${NEW}=50`);
  await until(async () => (await shares())[NEW] === 0.5);
  const assignedNow = await assigned();
  for (const version of [OLD, NEW]) {
    const linkId = [...assignedNow].find(([, one]) => one === version)![0];
    const answers = await use(linkId, (link) => sendAll(link, images));
    expect(new Set(answers.map(({ result }) => result.modelVersion))).toEqual(new Set([version]));
    // Decoded by another model, they would be right one time in ten.
    const right = answers.filter(({ result, context }) => classificationOf(result).label === context.label).length;
    expect(right / answers.length).toBeGreaterThan(0.7);
  }
  const own = await use('names-its-own', (link) => link.classify(images[0]!), 'l-cifar10-3');
  expect(own.result.modelVersion).toBe('l-cifar10-3');
});

it.each([
  ['--model-weights', 'no-such-model=1', 'no such model here'],
  ['--model-weights-file', '/does/not/exist', 'cannot be read from /does/not/exist'],
])('a transmitter does not start with %s %s', { timeout: 60_000 }, async (flag, value, why) => {
  const flags = ['--listen', '127.0.0.1:0', '--metrics-listen', 'off', flag, value];
  await expect(startServiceProcess('transmitter-encoder', flags, { onLog: () => {} })).rejects.toThrow(why);
});
