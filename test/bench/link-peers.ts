/**
 * A link of three services beside other chains, turn by turn on the same machine, so that ratios come from one run:
 *
 *   node dist/test/bench/link-peers.js --help
 *
 * FOLDER holds what is to be compared: `bin/lg`, a load generator; `peerA/stage.py` with `v-main/bin/python`, a chain of
 * grpc.aio and ONNX Runtime in three processes (`ort2`: two threads in the encoder); `peerB/server.sh PORT`, NVIDIA
 * Triton with the ensembles `chain` and `chain2` (two instances of the encoder). A load is images a message x images in
 * flight on a stream x streams. "ceiling" is what encoder and decoder alone compute in threads of one process.
 * The link is loaded by `go-load/`, which Go builds first: gRPC for Go, as `bin/lg` is; `--loaded-by node` takes `semlink bench
 * link`'s load, which uses more of the cores. The link serves a model of random weights with the arithmetic (18.5 MFLOP) and the symbols (128) of the peers';
 * `--model published` serves the published one instead.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { median } from '../../deploy/cli/bench/channel-bench.js';
import { measureLink } from '../../deploy/cli/bench/link-bench.js';
import { shapeOf, startBenchLink, targetAt } from '../../deploy/cli/bench/link-command.js';
import type { LoadShape } from '../../deploy/cli/bench/link-load.js';
import { usageOf } from '../../deploy/cli/bench/process-usage.js';
import { formatTable } from '../../deploy/cli/table.js';
import { SHIPPED_MODELS } from '../../shared/codec/model-folder.js';
import { defineConfig, loadConfigOrExit, option } from '../../shared/config/index.js';
import { jsonOption, loadsOf } from './bench-options.js';
import { ComputeCeiling } from './compute-ceiling.js';
import { publishEqualModel } from './equal-model.js';
import { buildGoLoad, runGoLoad } from './go-load.js';
import { PEERS, type Peer, type PeerMeasurement, ServingPeers, WARM_SECONDS } from './serving-peers.js';

const definition = defineConfig({
  name: 'link-peers',
  usage: 'node dist/test/bench/link-peers.js',
  description: 'A link of three services beside other chains, turn by turn on the same machine.',
  fields: {
    peers: option(z.string().optional(), {
      description: 'Folder of what is compared; the head of the source says what is in it. Absent: only ours.',
      placeholder: 'FOLDER',
    }),
    variants: option(z.array(z.enum(PEERS)).default([...PEERS]), { description: 'Which of the chains in it.' }),
    load: option(loadsOf(['1x1', '1x32', '1x256', '8x256', '32x256', '1x4x64']), {
      description: 'Images a message x images in flight of one stream x streams.',
    }),
    rounds: option(z.int().min(1).max(1000).default(5), { description: 'Times that all are measured, in turn.' }),
    seconds: option(z.number().min(0.1).max(3600).default(1), { description: 'Time of one measurement.', unit: 's' }),
    warmSeconds: option(z.number().min(0.1).max(3600).default(3), {
      description:
        'Time of each load before anything counts: what is compiled while it runs gets quicker for some seconds.',
      unit: 's',
    }),
    model: option(z.enum(['equal', 'published']).default('equal'), {
      description: "Random weights with the arithmetic and symbols of the peers', or the published default.",
    }),
    loadedBy: option(z.enum(['go', 'node']).default('go'), {
      description: "What loads ours: test/bench/go-load, which needs Go, or the load of 'semlink bench link'.",
    }),
    json: jsonOption,
  },
});
const { config: values } = loadConfigOrExit(definition);
const { seconds, load: loads } = values;

const MOST_FAILURES = 3;
const temporary = mkdtempSync(path.join(tmpdir(), 'semlink-bench-'));
const models = values.model === 'published' ? SHIPPED_MODELS : temporary;
if (models === temporary) await publishEqualModel(temporary);
const link = await startBenchLink('rayleigh-block', { models });
const processes = Object.fromEntries(
  Object.values(link.processes).map(({ role, process: { pid } }) => [role, pid!] as const),
);
const target = await targetAt(link.services['transmitter-encoder'].address, { model: '', k: 0 }, processes);
const goLoad = values.loadedBy === 'go' ? await buildGoLoad(temporary) : undefined;
const ours: Peer = {
  name: 'semlink',
  async measure(perMessage, inFlight, streams, seconds) {
    const shape = { perMessage, inFlight, streams };
    if (goLoad) return measureByGo(goLoad, shape, seconds);
    const result = await measureLink(target, shape, { warmSeconds: WARM_SECONDS, seconds, connections: 1 });
    if (result.errors > 0) throw new Error(`semlink: ${result.errors} errors: ${result.first_error}`);
    const { images_per_second: imagesPerSecond, latency_ms: latency, services_us: serviceUs } = result;
    return { imagesPerSecond, p50Ms: latency.p50, p99Ms: latency.p99, serviceUs: serviceUs! };
  },
};
/** Processor time as with the others: warm-up and end included. */
async function measureByGo(program: string, shape: LoadShape, seconds: number): Promise<PeerMeasurement> {
  const { address, images, policy } = target;
  const pids = Object.values(processes);
  const before = usageOf(pids).processorSeconds;
  const link = { address, model: images.modelVersion, k: policy.kind === 'fixed' ? policy.channelUses : 0 };
  const run = await runGoLoad(program, link, shape, { warmSeconds: WARM_SECONDS, seconds });
  return {
    imagesPerSecond: run.images_per_second,
    p50Ms: run.latency_ms.p50!,
    p99Ms: run.latency_ms.p99!,
    serviceUs: ((usageOf(pids).processorSeconds - before) / run.total_images) * 1e6,
  };
}
const chains = values.peers
  ? new ServingPeers(path.resolve(values.peers), path.join(tmpdir(), 'semlink-peers.log'))
  : undefined;
process.on('exit', () => {
  rmSync(temporary, { recursive: true, force: true });
  chains?.stop();
  for (const { process: child } of Object.values(link.processes)) child.kill();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const variants = [ours];
if (chains) for (const name of values.variants) variants.push(await chains.start(name));
const ceiling = await ComputeCeiling.open(target.images.modelVersion, models);
// Compiled code, connections and memory before anything counts.
const failed = new Map<string, number>();
for (const variant of variants) for (const load of loads) await measure(variant, load, values.warmSeconds);
process.stderr.write('measuring\n');

const measured = new Map<string, PeerMeasurement[]>();
const ceilings: number[] = [];
for (let round = 0; round < values.rounds; round++) {
  ceilings.push(await ceiling.measure(32, seconds));
  for (const load of loads) {
    for (const variant of variants) {
      const key = `${load} ${variant.name}`;
      const run = await measure(variant, load, seconds);
      if (run) measured.set(key, [...(measured.get(key) ?? []), run]);
    }
  }
}

/** A peer that breaks at a load is said to, and after a few times not asked about that load again; ours must not break. */
async function measure(variant: Peer, load: string, time: number): Promise<PeerMeasurement | undefined> {
  const key = `${load} ${variant.name}`;
  const times = failed.get(key) ?? 0;
  if (times >= MOST_FAILURES) return undefined;
  const { perMessage, inFlight, streams } = shapeOf(load);
  try {
    return await variant.measure(perMessage, inFlight, streams, time);
  } catch (error) {
    if (variant === ours) throw error;
    failed.set(key, times + 1);
    process.stderr.write(`${variant.name} broke at ${load}: ${(error as Error).message.trim()}\n`);
    return undefined;
  }
}

const most = median(ceilings);
const results = loads.map((load) => {
  const all = variants.flatMap(({ name }) => {
    const runs = measured.get(`${load} ${name}`);
    if (!runs) return [];
    const of = (field: keyof PeerMeasurement) => median(runs.map((run) => run[field]));
    const speeds = runs.map((run) => run.imagesPerSecond);
    return {
      name,
      images_per_second: of('imagesPerSecond'),
      least: Math.min(...speeds),
      most: Math.max(...speeds),
      p50_ms: of('p50Ms'),
      p99_ms: of('p99Ms'),
      services_us: of('serviceUs'),
    };
  });
  const [mine, ...others] = all;
  const best = others.toSorted((a, b) => b.images_per_second - a.images_per_second)[0];
  return { load, all, ratio: best && mine!.images_per_second / best.images_per_second, best: best?.name };
});
for (const { load, all, ratio, best } of results) {
  const against = ratio ? `: ${ratio.toFixed(2)} x ${best}` : '';
  process.stdout.write(`\n${load}${against}, ${(all[0]!.images_per_second / most).toFixed(2)} of the ceiling\n`);
  process.stdout.write(
    formatTable(
      ['', 'images/s', 'least', 'most', 'p50 ms', 'p99 ms', 'services us'],
      all.map((one) => [
        one.name,
        ...[one.images_per_second, one.least, one.most].map((n) => n.toFixed(0)),
        ...[one.p50_ms, one.p99_ms].map((n) => n.toFixed(2)),
        one.services_us.toFixed(0),
      ]),
    ),
  );
}
process.stdout.write(`\nceiling: ${most.toFixed(0)} images/s (${ceilings.map((n) => n.toFixed(0)).join(', ')})\n`);
if (values.json) writeFileSync(values.json, `${JSON.stringify({ results, ceilings }, null, 2)}\n`);
await ceiling.close();
chains?.stop();
await link.stop();
process.exit(0);
