import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { compiledModule } from '../../../shared/build/compiled.js';

/**
 * Runs the distiller in a process of its own, since TensorFlow holds the thread it runs on.
 *
 * @param env values over this process's environment
 * @returns its exit status
 */
export function runDistiller(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const main = fileURLToPath(compiledModule('services/distiller/main.ts'));
    const child = spawn(process.execPath, [main, ...argv], { stdio: 'inherit', env: { ...process.env, ...env } });
    // The trainer writes its checkpoint and ends, and then this does. Ctrl-C reaches both, which does no harm.
    const pass = (signal: NodeJS.Signals) => child.kill(signal);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, pass);
    child.once('close', () => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, pass);
    });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
