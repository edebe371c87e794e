/**
 * Where the processor time of a service goes, as a flame graph:
 *
 *   node dist/test/bench/link-flame.js --service transmitter-encoder --load 32x256 --svg flame.svg
 *   node dist/test/bench/link-flame.js --help
 *
 * The thread that serves gRPC is sampled while the link is loaded; what engine threads compute is not in it.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { measureLink } from '../../deploy/cli/bench/link-bench.js';
import { shapeOf, startBenchLink, targetAt } from '../../deploy/cli/bench/link-command.js';
import { formatTable } from '../../deploy/cli/table.js';
import { compiledModule } from '../../shared/build/compiled.js';
import { defineConfig, loadConfigOrExit, option } from '../../shared/config/index.js';
import { SERVICES } from '../../shared/telemetry/index.js';
import { timeOptions } from './bench-options.js';
import { type CpuProfile, flameGraph, framesOf, topFunctions } from './flame-graph.js';

const definition = defineConfig({
  name: 'link-flame',
  usage: 'node dist/test/bench/link-flame.js',
  description: 'Profiles one service of a loaded link and draws a flame graph.',
  fields: {
    service: option(z.enum(SERVICES).default('transmitter-encoder'), { description: 'Which service is profiled.' }),
    load: option(
      z
        .string()
        .regex(/^\d+x\d+(?:x\d+)?$/)
        .default('32x256'),
      {
        description: 'Images a message x images in flight of one stream x streams.',
      },
    ),
    ...timeOptions,
    top: option(z.int().min(0).max(1000).default(25), { description: 'Functions in the table.' }),
    svg: option(z.string().optional(), { description: 'Where the flame graph goes.', placeholder: 'FILE' }),
    profile: option(z.string().optional(), {
      description: 'Also keep the profile, for other tools (.cpuprofile).',
      placeholder: 'FILE',
    }),
  },
});
const { config } = loadConfigOrExit(definition);

const folder = mkdtempSync(path.join(tmpdir(), 'semlink-profile-'));
const preload = compiledModule('test/bench/profile-preload.ts').href;
process.env.SEMLINK_PROFILE_FOLDER = folder;
process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import ${preload}`.trim();
const link = await startBenchLink('rayleigh-block');
process.on('exit', () => {
  rmSync(folder, { recursive: true, force: true });
  for (const { process: child } of Object.values(link.processes)) child.kill();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const { pid } = link.processes[config.service].process;
const target = await targetAt(link.services['transmitter-encoder'].address, { model: '', k: 0 }, { service: pid! });
// Warm first, so that compiling is not in the profile.
const shape = shapeOf(config.load);
await measureLink(target, shape, { warmSeconds: 0, seconds: Math.max(0.1, config.warmSeconds), connections: 1 });
process.kill(pid!, 'SIGUSR2');
const { images_per_second: speed, services_us: spent } = await measureLink(target, shape, {
  warmSeconds: 0,
  seconds: config.seconds,
  connections: 1,
});
process.kill(pid!, 'SIGUSR2');
const root = framesOf(await read(path.join(folder, `${pid}.cpuprofile`)));
await link.stop();

const title = `${config.service}, ${config.load}: its serving thread under load, ${speed.toFixed(0)} images/s`;
process.stdout.write(`${title}, ${spent!.toFixed(0)} us of processor time an image in all of its threads\n\n`);
process.stdout.write(
  formatTable(
    ['% of the thread', 'itself', 'where'],
    topFunctions(root, config.top).map(({ name, place, self }) => [
      ((100 * self) / root.total).toFixed(1),
      name,
      place,
    ]),
  ),
);
if (config.svg) writeFileSync(config.svg, flameGraph(root, title));
process.exit(0);

/** The profile, once it has been written. */
async function read(file: string): Promise<CpuProfile> {
  for (let tries = 0; ; tries++) {
    try {
      const text = readFileSync(file, 'utf8');
      const profile = JSON.parse(text) as CpuProfile;
      if (config.profile) writeFileSync(config.profile, text);
      return profile;
    } catch (error) {
      if (tries === 100) throw error;
      await wait(100);
    }
  }
}
