// The docker command that can build with BuildKit: since version 23 it needs the plug-in buildx, before it needs nothing.
import { execFileSync, spawnSync } from 'node:child_process';

/** Looked for in this order; SEMLINK_DOCKER names one. */
const CANDIDATES = ['docker', '/usr/bin/docker'];

/**
 * @returns {{command: string, run(args: string[]): string, build(args: string[]): void}}
 * @throws Error when there is no client, or none that can build, or it reaches no engine
 */
export function dockerClient(env = process.env) {
  const candidates = env.SEMLINK_DOCKER ? [env.SEMLINK_DOCKER] : CANDIDATES;
  const command = candidates.find((candidate) => builds(candidate));
  if (command === undefined) {
    throw new Error(`none of ${candidates.join(', ')} can build with BuildKit: install docker with its plug-in buildx`);
  }
  const run = (args) => execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  try {
    run(['version', '--format', '{{.Server.Version}}']);
  } catch {
    throw new Error(
      `no docker engine answers (${env.DOCKER_HOST ?? 'DOCKER_HOST is not set'}): start one, or set DOCKER_HOST`,
    );
  }
  return {
    command,
    run,
    build(args) {
      const options = { stdio: ['ignore', 'inherit', 'inherit'], env: { ...env, DOCKER_BUILDKIT: '1' } };
      const { status } = spawnSync(command, ['build', '--progress', 'plain', ...args], options);
      if (status !== 0) throw new Error(`${command} build ended with ${status}; see above`);
    },
  };
}

function builds(command) {
  const { status, stdout } = spawnSync(command, ['version', '--format', '{{.Client.Version}}'], { encoding: 'utf8' });
  const version = /^(\d+)\./.exec(stdout ?? '')?.[1];
  if (version === undefined && status !== 0) return false;
  return Number(version) < 23 || spawnSync(command, ['buildx', 'version']).status === 0;
}
