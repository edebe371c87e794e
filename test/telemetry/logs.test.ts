/** The logs of real services: their forms, levels and fields, and what a flood of bad frames does to them. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { create } from '@bufbuild/protobuf';
import { afterEach, describe, expect, it } from 'vitest';
import { type ServiceProcess, startServiceProcess } from '../../deploy/local/processes.js';
import { compiledModule, projectRoot } from '../../shared/build/compiled.js';
import {
  ChannelEmulatorService,
  PropagateRequestSchema,
  type PropagateResponse,
} from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { type FrameResult, SymbolFormat, SymbolFrameSchema } from '../../shared/gen/semlink/v1/frame_pb.js';
import { createRpcClient } from '../../shared/rpc/client.js';
import { LOG_FIELDS, nowUnixNano } from '../../shared/telemetry/index.js';
import { until } from '../integration/link.fixture.js';

const free = ['--listen', '127.0.0.1:0', '--metrics-listen', 'off'];
const running: ServiceProcess<'channel-emulator'>[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

/** A channel-emulator whose receiver is not there, which it finds out after 50 ms. */
async function start(flags: string[] = [], env: NodeJS.ProcessEnv = {}) {
  const lines: string[] = [];
  const nowhere = ['--receiver', '127.0.0.1:9', '--reconnect-wait-ms', '50'];
  const options = { env, onLog: (line: string) => lines.push(line) };
  const service = await startServiceProcess('channel-emulator', [...free, ...nowhere, ...flags], options);
  running.push(service);
  return { service, lines };
}

/** Sends frames of 8 symbols, or of what is no number of symbols, and returns their answers. */
async function propagate(address: string, count: number, bad: boolean): Promise<FrameResult[]> {
  const client = createRpcClient(ChannelEmulatorService, { address });
  const call = client.propagate();
  const results: FrameResult[] = [];
  for (let first = 0; first < count; first += 500) {
    const frames = Array.from({ length: Math.min(500, count - first) }, (_, i) =>
      create(SymbolFrameSchema, {
        header: { linkId: 'logged', sequence: BigInt(first + i), captureTimeUnixNano: nowUnixNano() },
        format: SymbolFormat.FC32,
        channelUses: 8,
        iq: new Uint8Array(bad ? 3 : 64),
      }),
    );
    call.write(create(PropagateRequestSchema, { frames }));
  }
  call.end();
  for await (const response of call as AsyncIterable<PropagateResponse>) results.push(...response.results);
  client.close();
  return results;
}

describe('a service writes its log', { timeout: 60_000 }, () => {
  it('as JSON with the fields of the schema alone, where it is no terminal', async () => {
    const { service, lines } = await start();
    const client = createRpcClient(ChannelEmulatorService, { address: service.address });
    await client.setChannel({ linkId: 'logged', patch: '{"channel":{"snrDb":3}}' });
    await client.resetChannel({ linkId: 'logged' });
    client.close();
    await propagate(service.address, 3, true);
    await propagate(service.address, 3, false);
    await service.stop();
    const known: ReadonlySet<string> = new Set(Object.values(LOG_FIELDS));
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const line of parsed) {
      expect(Object.keys(line).filter((field) => !known.has(field))).toEqual([]);
      expect(line).toMatchObject({
        level: expect.any(String),
        service: 'channel-emulator',
        message: expect.any(String),
      });
      expect(Date.parse(String(line.time))).toBeGreaterThan(0);
    }
    const messages = parsed.map(({ message }) => message);
    expect(messages).toEqual(expect.arrayContaining(['channel set', 'channel reset to the default', 'drained']));
    const failed = parsed.filter(({ code }) => code !== undefined);
    expect(failed.map(({ level, code, link }) => [level, code, link])).toEqual([
      ...Array.from({ length: 3 }, () => ['warn', 'INVALID_ARGUMENT', 'logged']),
      ...Array.from({ length: 3 }, () => ['warn', 'UNAVAILABLE', 'logged']),
    ]);
  });

  it('as text where that is asked for, by flag or by environment', async () => {
    for (const [flags, env] of [
      [['--log-format', 'text'], {}],
      [[], { SEMLINK_LOG_FORMAT: 'text' }],
    ] as const) {
      const { lines } = await start([...flags], env);
      expect(lines[0]).toMatch(
        /^\d\d:\d\d:\d\d\.\d{3} {2}INFO {3}channel-emulator {2}channel-emulator is serving {2}address=127/,
      );
    }
  });

  it('as text on a terminal, as JSON there where that is asked for', async () => {
    const [text, json] = await Promise.all([onTerminal(), onTerminal('--log-format', 'json')]);
    expect(text).toMatch(/\d {2}INFO {3}channel-emulator {2}channel-emulator is serving {2}address=127/);
    expect(text).not.toContain('{"level"');
    expect(json).toContain('{"level":"info"');
  });

  it('from the level on that the environment asks for; a flag beats it', async () => {
    const env = { SEMLINK_CHANNEL_EMULATOR_LOG_LEVEL: 'error' };
    const { service, lines } = await start([], env);
    await propagate(service.address, 2, true);
    expect(lines).toEqual([]);
    const louder = await start(['--log-level', 'warn'], env);
    await propagate(louder.service.address, 2, true);
    await until(() => louder.lines.length === 2);
  });

  it('in a few lines and a count, however many frames are bad', async () => {
    const { service, lines } = await start();
    const before = lines.length;
    const results = await propagate(service.address, 20_000, true);
    expect(results).toHaveLength(20_000);
    expect(results.every(({ outcome }) => outcome.case === 'error' && outcome.value.code === 3)).toBe(true);
    await service.stop();
    const said = lines.slice(before).map((line) => JSON.parse(line) as Record<string, unknown>);
    const failures = said.filter(({ code }) => code === 'INVALID_ARGUMENT');
    // One window of 10 s, or two if the machine is slow.
    expect(failures.length).toBeLessThanOrEqual(12);
    const counted = failures.reduce(
      (sum, { suppressed }) => sum + (suppressed === undefined ? 1 : Number(suppressed)),
      0,
    );
    expect(counted).toBe(20_000);
  });
});

/** What a channel-emulator says on a terminal until it serves. */
async function onTerminal(...flags: string[]): Promise<string> {
  const main = fileURLToPath(compiledModule('services/channel-emulator/main.ts'));
  const command = [process.execPath, main, ...free, ...flags];
  const terminal = spawn('python3', ['-c', 'import pty, sys; pty.spawn(sys.argv[1:])', ...command], {
    cwd: projectRoot,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let said = '';
  terminal.stdout.setEncoding('utf8').on('data', (part: string) => {
    said += part;
  });
  try {
    await until(() => said.includes('is serving'), 30_000);
    return said;
  } finally {
    // The service goes with its terminal.
    terminal.kill('SIGKILL');
  }
}
