import path from 'node:path';
import { projectRoot } from '../../../shared/build/compiled.js';
import type { Command } from '../command.js';
import { runDistiller } from './distiller-process.js';

/** The stored knowledge that comes with SemLink. */
const SHIPPED_KNOWLEDGE = path.join(projectRoot, 'shared', 'knowledge', 'cifar10');

/** Training on what a teacher said: the shipped knowledge, unless `--knowledge` names another set. */
export const distill: Command = {
  run: (argv) =>
    runDistiller(argv, {
      SEMLINK_DISTILLER_KNOWLEDGE: process.env.SEMLINK_DISTILLER_KNOWLEDGE ?? SHIPPED_KNOWLEDGE,
    }),
};
