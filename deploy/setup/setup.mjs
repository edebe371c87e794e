#!/usr/bin/env node
// Makes a fresh clone ready. Plain Node.js and nothing else: this runs before anything is installed.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from './cache-folder.mjs';
import { asFailure } from './failure.mjs';
import { UNFINISHED } from './files.mjs';
import { takeLock } from './lock.mjs';
import { HELP, parseOptions } from './options.mjs';
import { requirePlatform, requireWritable } from './prerequisites.mjs';
import { endPrograms, watchPrograms } from './programs.mjs';
import { Progress } from './progress.mjs';
import { addon } from './steps/addon.mjs';
import { build } from './steps/build.mjs';
import { cuda } from './steps/cuda.mjs';
import { data } from './steps/data.mjs';
import { generate } from './steps/generate.mjs';
import { library } from './steps/library.mjs';
import { packages } from './steps/packages.mjs';
import { probe } from './steps/probe.mjs';
import { chooseDevice, rememberDevice } from './tensorflow.mjs';

/** In this order: each may rely on those before it. */
const STEPS = [packages, library, cuda, addon, probe, data, generate, build];

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const progress = new Progress();
/** @type {Awaited<ReturnType<typeof takeLock>>[]} */
const locks = [];
let interrupted = false;

async function main() {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  requirePlatform();
  const context = { root, cache: cacheFolder(), device: chooseDevice(root, options.device), progress };
  const due = await stepsDue(context);
  if (options.check) return report(context, due);
  if (due.length > 0) await perform(context);
  if (options.device) rememberDevice(root, options.device);
  return 0;
}

/** @param {object} context */
async function stepsDue(context) {
  const due = [];
  for (const step of STEPS) if (!(await step.isDone(context))) due.push(step);
  return due;
}

function report({ cache, device }, due) {
  for (const step of STEPS) process.stdout.write(`${due.includes(step) ? 'to do' : 'done '}  ${step.title}\n`);
  process.stdout.write(`TensorFlow for the ${device.toUpperCase()}; cache folder ${cache}\n`);
  return due.length === 0 ? 0 : 1;
}

async function perform(context) {
  progress.say(
    `Setting up SemLink (TensorFlow for the ${context.device.toUpperCase()}; cache folder ${context.cache})`,
  );
  requireWritable(join(root, '.setup'));
  requireWritable(context.cache);
  watchPrograms((pids) => {
    for (const lock of locks) lock.record(pids);
  });
  await lock(join(root, '.setup', 'lock'), 'in this folder'); // always in this order, so that two cannot wait for each other
  await lock(join(context.cache, 'setup.lock'), 'with this cache folder');
  for (const name of readdirSync(context.cache)) {
    if (name.startsWith(UNFINISHED)) rmSync(join(context.cache, name), { recursive: true, force: true });
  }
  for (const step of STEPS) {
    if (await step.isDone(context)) continue; // perhaps by the set-up that was waited for
    await progress.during(step.title, () => step.run(context));
  }
}

async function lock(path, where) {
  const taken = await takeLock(path, {
    onWait: ({ pid }) =>
      progress.say(`Another set-up${pid ? ` (process ${pid})` : ''} is at work ${where}; waiting for it.`),
    onTakeover: () => {
      if (!interrupted) progress.say('An earlier set-up was interrupted; going on from where it was.');
      interrupted = true; // it held both locks: once is enough
    },
  });
  locks.push(taken);
}

function leave() {
  endPrograms();
  for (const taken of locks) taken.release();
}

for (const [signal, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
  ['SIGHUP', 1],
]) {
  process.on(signal, () => {
    leave();
    progress.say('Interrupted; `npm run setup` goes on from here.');
    process.exit(128 + number);
  });
}

// A reader that left (`| head`) is no reason to stop half-way.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

try {
  process.exitCode = await main();
} catch (error) {
  const failure = asFailure(error, { doing: 'The set-up' });
  progress.say(failure.message);
  if (process.env.SEMLINK_DEBUG === '1') progress.say(failure.detail || failure.stack);
  process.exitCode = 1;
} finally {
  leave();
}
