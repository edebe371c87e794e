import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { defineConfig, loadConfigOrExit, option } from '../../../shared/config/index.js';
import { ScenarioState, type ScenarioStatus } from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import type { Command } from '../command.js';
import { ProgressLine } from '../progress-line.js';
import { emulatorFields, withEmulators } from './emulator.js';
import { readStream } from './read-stream.js';

const definition = defineConfig({
  name: 'channel-run',
  usage: 'semlink channel run',
  description: 'Runs a scenario inside the channel-emulator and shows how it goes. Ctrl-C stops it; what it set stays.',
  positionals: {
    usage: 'FILE',
    description: 'Scenario file (JSON); semlink channel --help shows one.',
    min: 1,
    max: 1,
  },
  fields: {
    ...emulatorFields,
    detach: option(z.boolean().default(false), {
      description: 'Starts it and returns; semlink channel scenarios lists and stops it.',
    }),
  },
});

export const run: Command = {
  async run(argv) {
    const { config, positionals } = loadConfigOrExit(definition, argv);
    const file = positionals[0]!;
    const scenario = await readFile(file, 'utf8');
    const progress = new ProgressLine(process.stderr);
    let last: ScenarioStatus | undefined;
    let steps = 0n;
    const show = (status: ScenarioStatus): void => {
      last = status;
      if (status.stepsDone > steps) {
        progress.clear();
        process.stdout.write(`${seconds(status)}  ${status.detail}\n`);
        steps = status.stepsDone;
      }
      progress.update(
        scenarioText(status),
        status.lengthSeconds > 0 ? status.elapsedSeconds / status.lengthSeconds : 1,
      );
    };
    // It runs at every address alike; what is shown is the first, and what failed.
    const how = await withEmulators(config, async (emulators) => {
      const [first] = emulators.clients;
      const ends = await emulators.onAll((client) =>
        readStream(client.runScenario({ scenario, detach: config.detach }), ({ status }) => {
          if (status && (client === first || status.state === ScenarioState.FAILED)) show(status);
        }),
      );
      return ends[0]!;
    }).catch((error: unknown) => {
      progress.clear();
      throw new Error(`${file}: ${(error as Error).message}`);
    });
    progress.clear();
    if (how === 'interrupted') process.stdout.write('stopped; what the scenario set stays\n');
    else if (config.detach)
      process.stdout.write(`${last?.name} is running; semlink channel scenarios stop ${last?.name}\n`);
    else process.stdout.write(`${scenarioText(last!)}\n`);
    if (last?.state !== ScenarioState.FAILED) return 0;
    process.stderr.write(`semlink channel run: ${last.detail}\n`);
    return 1;
  },
};

/** `drive-by: running, 3.2 of 20.0 s, round 2 of 3`. */
export function scenarioText(status: ScenarioStatus): string {
  const { name, state, elapsedSeconds, lengthSeconds, round, rounds } = status;
  const rest = rounds === 1 ? '' : `, round ${round}${rounds === 0 ? '' : ` of ${rounds}`}`;
  const time = `${elapsedSeconds.toFixed(1)} of ${lengthSeconds.toFixed(1)} s`;
  return `${name}: ${ScenarioState[state]!.toLowerCase()}, ${time}${rest}, ${status.stepsDone} steps`;
}

function seconds({ elapsedSeconds }: ScenarioStatus): string {
  return `${elapsedSeconds.toFixed(2).padStart(8)} s`;
}
