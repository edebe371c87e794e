import { defineConfig, loadConfigOrExit } from '../../../shared/config/index.js';
import { ScenarioAction } from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import type { Command } from '../command.js';
import { emulatorFields, withEmulators } from './emulator.js';
import { scenarioText } from './run.js';

const ACTIONS: Record<string, ScenarioAction> = {
  pause: ScenarioAction.PAUSE,
  resume: ScenarioAction.RESUME,
  stop: ScenarioAction.STOP,
};

const definition = defineConfig({
  name: 'channel-scenarios',
  usage: 'semlink channel scenarios',
  description: 'Lists the scenarios that are running, or pauses, resumes or stops one.',
  positionals: {
    usage: '[pause|resume|stop NAME]',
    description: 'What to do, and the name of the scenario; nothing: list them.',
    min: 0,
    max: 2,
  },
  fields: emulatorFields,
});

export const scenarios: Command = {
  async run(argv) {
    const { config, positionals } = loadConfigOrExit(definition, argv);
    const [word, name] = positionals;
    const action = word === undefined ? undefined : ACTIONS[word];
    if (word !== undefined && (action === undefined || name === undefined)) {
      process.stderr.write('semlink channel scenarios: write pause, resume or stop and the name of a scenario.\n');
      return 2;
    }
    const all = await withEmulators(config, async (emulators) => {
      if (action !== undefined) {
        const told = await emulators.onAll((client) => client.controlScenario({ name: name!, action }));
        return [told[0]!.status!];
      }
      const lists = await emulators.onAll((client) => client.listScenarios({}));
      // The same scenario runs at every address.
      const byName = new Map(lists.flatMap(({ scenarios: list }) => list).map((status) => [status.name, status]));
      return [...byName.values()];
    });
    for (const status of all) process.stdout.write(`${scenarioText(status)}\n`);
    if (all.length === 0) process.stdout.write('no scenario is running\n');
    return 0;
  },
};
