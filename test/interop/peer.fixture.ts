import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { compiledModule } from '../../shared/build/compiled.js';
import { type ExternalForm, type ExternalSettings, externalDefaults } from '../../shared/channel/external.js';

export interface Peer {
  readonly child: ChildProcess;
  /** Sends it a line of zeromq-peer.ts and waits until it has been obeyed. */
  tell(line: string): Promise<void>;
  kill(): Promise<void>;
}

/** Starts zeromq-peer.ts at the addresses of some settings. */
export async function startPeer({ form, send, receive }: ExternalSettings): Promise<Peer> {
  const main = fileURLToPath(compiledModule('test/interop/zeromq-peer.ts'));
  const child = spawn(process.execPath, [main, form, send, receive], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const ready = await lines.next();
  if (ready.done) throw new Error('zeromq-peer ended before it was ready');
  return {
    child,
    tell: async (line) => {
      child.stdin!.write(`${line}\n`);
      await lines.next();
    },
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** Settings with two free TCP ports of this machine. */
export async function freeExternal(
  form: ExternalForm,
  change: Partial<ExternalSettings> = {},
): Promise<ExternalSettings> {
  const [send, receive] = await Promise.all([freePort(), freePort()]);
  return {
    ...externalDefaults,
    form,
    send: `tcp://127.0.0.1:${send}`,
    receive: `tcp://127.0.0.1:${receive}`,
    timeoutMs: 600,
    multipleSymbols: 1,
    ...change,
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
