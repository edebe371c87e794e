import type { Command } from './command.js';

/** A part of a command, called by the word after it. */
export interface Action {
  /** One line of the command's help. */
  readonly summary: string;
  readonly run: Command['run'];
}

/** A command that is nothing but its actions; its help lists them. */
export function commandOf(name: string, description: string, actions: Readonly<Record<string, Action>>): Command {
  const width = 2 + Math.max(...Object.keys(actions).map(({ length }) => length));
  const help = [
    description,
    '',
    `Usage: semlink ${name} ACTION [OPTIONS]`,
    '',
    ...Object.entries(actions).map(([action, { summary }]) => `  ${action.padEnd(width)}${summary}`),
    '',
    `semlink ${name} ACTION --help prints the options of an action.`,
    '',
  ].join('\n');
  return {
    async run([word, ...argv]) {
      const action = word !== undefined && Object.hasOwn(actions, word) ? actions[word] : undefined;
      if (action) return action.run(argv);
      const asked = word === '--help' || word === '-h' || word === 'help';
      if (asked || word === undefined) {
        (asked ? process.stdout : process.stderr).write(help);
        return asked ? 0 : 2;
      }
      const known = Object.keys(actions).join(', ');
      process.stderr.write(`semlink ${name}: there is no action "${word}"; there are ${known}.\n`);
      return 2;
    },
  };
}
