/**
 * What an open console costs a link under full load: turn by turn, with a page open and without, on the same link.
 *
 *   node dist/test/bench/console-cost.js [--rounds 7] [--seconds 3] [--load 32x256] [--json FILE]
 *
 * The page is a reader of the console's feed in this process, as a browser elsewhere would be; the console sends its usual
 * 20 images a second beside the load. A ratio of one round is of two measurements that follow each other; the median counts.
 */
import { writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { parseArgs } from 'node:util';
import { median } from '../../deploy/cli/bench/channel-bench.js';
import { measureLink } from '../../deploy/cli/bench/link-bench.js';
import { shapeOf, startBenchLink, targetAt } from '../../deploy/cli/bench/link-command.js';
import { startLocalConsole } from '../../deploy/local/console.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '3' },
    load: { type: 'string', default: '32x256' },
    json: { type: 'string' },
  },
});

const link = await startBenchLink('rayleigh-block');
const web = await startLocalConsole(link, '127.0.0.1:0', {
  env: { SEMLINK_CONSOLE_METRICS_LISTEN: '127.0.0.1:0', SEMLINK_CONSOLE_LOG_LEVEL: 'warn' },
});
const processes = Object.fromEntries(
  Object.values(link.processes).map(({ role, process: { pid } }) => [role, pid!] as const),
);
const target = await targetAt(link.services['transmitter-encoder'].address, { model: '', k: 0 }, processes);
const seconds = Number(values.seconds);

/** Opens a page; resolves with what closes it once the console has rested again. */
async function openPage(): Promise<() => Promise<number>> {
  let updates = 0;
  const request = get(`http://${web.address}/api/events`, { agent: false });
  await new Promise<void>((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => {
      response.on('error', () => {});
      response.on('data', (chunk: Buffer) => {
        if (chunk.includes('event: update')) updates++;
        resolve();
      });
    });
  });
  request.on('error', () => {});
  return async () => {
    request.destroy();
    // It goes on for two seconds: a page may be loaded anew.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    return updates;
  };
}

async function measure() {
  const shape = { ...shapeOf(values.load) };
  const result = await measureLink(target, shape, { warmSeconds: 1, seconds, connections: 1 });
  if (result.errors > 0) throw new Error(`${result.errors} errors: ${result.first_error}`);
  return { imagesPerSecond: result.images_per_second, microseconds: result.services_us! };
}

const rounds: {
  without: Awaited<ReturnType<typeof measure>>;
  with: Awaited<ReturnType<typeof measure>>;
  updates: number;
}[] = [];
try {
  await measure();
  for (let round = 0; round < Number(values.rounds); round++) {
    // Every other round the other way round, so that a machine that slows down counts for neither.
    const first = round % 2 === 0 ? await measure() : undefined;
    const close = await openPage();
    const open = await measure();
    const updates = await close();
    rounds.push({ without: first ?? (await measure()), with: open, updates });
    const { without, with: opened } = rounds.at(-1)!;
    process.stdout.write(
      `${without.imagesPerSecond} images/s without, ${opened.imagesPerSecond} with the console open; ` +
        `${without.microseconds} and ${opened.microseconds} us of processor time an image; ${updates} updates\n`,
    );
  }
} finally {
  await web.stop();
  await link.stop();
}
const speed = median(rounds.map((one) => one.with.imagesPerSecond / one.without.imagesPerSecond));
const cost = median(rounds.map((one) => one.with.microseconds / one.without.microseconds));
const percent = (ratio: number) => `${(100 * (ratio - 1)).toFixed(1)} %`;
process.stdout.write(
  `median: ${percent(speed)} images a second, ${percent(cost)} processor time of the services an image\n`,
);
if (values.json) writeFileSync(values.json, `${JSON.stringify({ speed, cost, rounds }, null, 2)}\n`);
