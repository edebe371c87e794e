import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { compiledModule } from '../../../shared/build/compiled.js';
import type { Command } from '../command.js';

/** Trains in a process of its own: TensorFlow holds the thread it runs on. */
export const train: Command = {
  run: (argv) =>
    new Promise((resolve, reject) => {
      const main = fileURLToPath(compiledModule('services/distiller/main.ts'));
      const child = spawn(process.execPath, [main, ...argv], { stdio: 'inherit' });
      // The terminal sends Ctrl-C to both; the trainer writes its checkpoint and ends, and then this does.
      process.on('SIGINT', () => {});
      process.on('SIGTERM', () => child.kill('SIGTERM'));
      child.once('error', reject);
      child.once('exit', (code) => resolve(code ?? 1));
    }),
};
