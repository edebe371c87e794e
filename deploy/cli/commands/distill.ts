import type { Command } from '../command.js';
import { SHIPPED_KNOWLEDGE } from '../knowledge-options.js';
import { runDistiller } from './distiller-process.js';

/** Training on what a teacher said: the shipped knowledge, unless `--knowledge` names another set. */
export const distill: Command = {
  run: (argv) =>
    runDistiller(argv, {
      SEMLINK_DISTILLER_KNOWLEDGE: process.env.SEMLINK_DISTILLER_KNOWLEDGE ?? SHIPPED_KNOWLEDGE,
    }),
};
