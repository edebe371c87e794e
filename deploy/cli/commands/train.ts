import type { Command } from '../command.js';
import { runDistiller } from './distiller-process.js';

/** Training on labels, or on what `--knowledge` names. */
export const train: Command = { run: (argv) => runDistiller(argv) };
