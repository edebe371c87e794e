import { create, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { credentials, Metadata, makeClientConstructor } from '@grpc/grpc-js';
import { service as healthService } from 'grpc-health-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  ChannelEmulatorService,
  GetChannelResponseSchema,
  SetChannelResponseSchema,
} from '../gen/semlink/v1/channel_emulator_pb.js';
import { implementService } from './adapter.js';
import { createRpcClient } from './client.js';
import { Code, notFound } from './errors.js';
import { fileDescriptors } from './reflection.js';
import { type ServerHandle, type ServerOptions, startServer } from './server.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const internal: string[] = [];
const unused = (): never => {
  throw new Error('not called here');
};
const emulator = implementService(ChannelEmulatorService, {
  resetChannel: unused,
  watchChannel: unused,
  watchSymbols: unused,
  snapshotChannels: unused,
  restoreChannels: unused,
  runScenario: unused,
  controlScenario: unused,
  listScenarios: unused,
  propagate: (call) => {
    call.on('data', () => {});
    call.on('end', () => call.end());
  },
  setChannel: async ({ linkId }) => {
    if (linkId === 'bug') throw new Error('secret detail');
    return create(SetChannelResponseSchema);
  },
  getChannel: async ({ linkId }, { signal, peer }) => {
    if (linkId === 'slow') await new Promise((resolve) => setTimeout(resolve, 200));
    if (linkId === 'stuck') await new Promise((resolve) => signal.addEventListener('abort', resolve));
    if (linkId === 'none') throw notFound('link_id', linkId, 'set a channel first');
    return create(GetChannelResponseSchema, { seed: 7n, position: BigInt(peer.length) });
  },
});

async function start(options: Partial<ServerOptions> = {}): Promise<ServerHandle> {
  const server = await startServer({
    role: 'channel-emulator',
    listen: '127.0.0.1:0',
    services: [emulator],
    drainLimitMs: 1000,
    onInternalError: (method, { cause }) => internal.push(`${method}: ${cause}`),
    ...options,
  });
  cleanups.push(() => server.drain());
  return server;
}

function client(address: string) {
  const made = createRpcClient(ChannelEmulatorService, { address });
  cleanups.push(() => made.close());
  return made;
}

function health(address: string) {
  const Health = makeClientConstructor(healthService, 'grpc.health.v1.Health');
  const made = new Health(address, credentials.createInsecure());
  cleanups.push(() => made.close());
  return {
    check: (service: string) =>
      new Promise<string>((resolve, reject) => {
        made.Check!({ service }, (error: Error | null, response: { status: string }) =>
          error ? reject(error) : resolve(response.status),
        );
      }),
    watch: (service: string) => made.Watch!({ service }),
  };
}

describe('a server', () => {
  it('answers unary calls through the typed client', async () => {
    const { address } = await start();
    const emulatorClient = client(address);
    await expect(emulatorClient.getChannel({ linkId: 'a' })).resolves.toMatchObject({ seed: 7n });
    await emulatorClient.waitForReady(1000);
    expect(emulatorClient.isConnected()).toBe(true);
  });

  it('sends errors as they were meant, hides internal ones and reports their cause', async () => {
    const { address } = await start();
    const emulatorClient = client(address);
    await expect(emulatorClient.getChannel({ linkId: 'none' })).rejects.toMatchObject({
      code: Code.NOT_FOUND,
      message: 'link_id is "none"; set a channel first',
    });
    internal.length = 0;
    await expect(emulatorClient.setChannel({ linkId: 'bug' })).rejects.toMatchObject({
      code: Code.INTERNAL,
      message: 'internal error; the log of the service has the cause',
    });
    expect(internal).toEqual(['semlink.v1.ChannelEmulatorService/SetChannel: Error: secret detail']);
  });

  it('keeps deadlines and cancellations', async () => {
    const { address } = await start();
    const emulatorClient = client(address);
    await expect(emulatorClient.getChannel({ linkId: 'stuck' }, { deadlineMs: 50 })).rejects.toMatchObject({
      code: Code.DEADLINE_EXCEEDED,
    });
    const abort = new AbortController();
    const waits = emulatorClient.getChannel({ linkId: 'stuck' }, { signal: abort.signal });
    abort.abort();
    await expect(waits).rejects.toMatchObject({ code: Code.CANCELLED });
  });

  it('says in one sentence that the port is in use, or that the address is no address', async () => {
    const { address } = await start();
    await expect(start({ listen: address })).rejects.toThrow(
      `channel-emulator cannot listen on ${address}: the port is in use; stop the process that has it, or choose another port`,
    );
    await expect(start({ listen: '203.0.113.7:1' })).rejects.toThrow(/this machine does not have that address/);
  });

  it('reports the health of each service and of the whole', async () => {
    const server = await start();
    const { check } = health(server.address);
    await expect(check('')).resolves.toBe('SERVING');
    await expect(check('semlink.v1.ChannelEmulatorService')).resolves.toBe('SERVING');
    await expect(check('no.such.Service')).rejects.toMatchObject({ code: Code.NOT_FOUND });
    server.setServing(false);
    await expect(check('')).resolves.toBe('NOT_SERVING');
    await expect(check('semlink.v1.ChannelEmulatorService')).resolves.toBe('NOT_SERVING');
  });

  it('drains: waits for running calls, not for health watchers, and refuses new ones', async () => {
    const server = await start();
    const emulatorClient = client(server.address);
    const watch = health(server.address).watch('');
    watch.on('error', () => {});
    await new Promise((resolve) => watch.once('data', resolve));
    const running = emulatorClient.getChannel({ linkId: 'slow' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const drained = server.drain();
    expect(server.drain()).toBe(drained);
    await expect(running).resolves.toMatchObject({ seed: 7n });
    await expect(drained).resolves.toBe(true);
    await expect(client(server.address).getChannel({ linkId: 'a' })).rejects.toMatchObject({ code: Code.UNAVAILABLE });
  });

  it('says when a drain cut something off', async () => {
    const server = await start({ drainLimitMs: 50 });
    const running = client(server.address).getChannel({ linkId: 'stuck' });
    const failed = expect(running).rejects.toMatchObject({ code: Code.UNAVAILABLE });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await expect(server.drain()).resolves.toBe(false);
    await failed;
  });
});

/** A client of the reflection service, made from what the service says about itself. */
function reflectionMethod(version: 'v1' | 'v1alpha') {
  const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');
  return {
    path: `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    requestStream: true as const,
    responseStream: true as const,
    requestSerialize: (request: Buffer) => request,
    requestDeserialize: (request: Buffer) => request,
    responseSerialize: (response: Buffer) => response,
    responseDeserialize: (response: Buffer) => response,
    // ServerReflectionRequest: list_services = 7, file_containing_symbol = 4, both strings.
    listServices: Buffer.concat([Buffer.from([0x3a, 1]), bytes('*')]),
    fileContaining: (symbol: string) => Buffer.concat([Buffer.from([0x22, symbol.length]), bytes(symbol)]),
  };
}

describe.each(['v1', 'v1alpha'] as const)('reflection %s', (version) => {
  it('lists the services with health, and describes a method', async () => {
    const { address } = await start();
    const method = reflectionMethod(version);
    const Reflection = makeClientConstructor({ info: method }, 'reflection');
    const reflection = new Reflection(address, credentials.createInsecure());
    cleanups.push(() => reflection.close());
    const ask = (request: Buffer): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        const call = reflection.info!(new Metadata());
        call.on('data', resolve);
        call.on('error', reject);
        call.write(request);
        call.end();
      });
    const listed = (await ask(method.listServices)).toString('latin1');
    expect(listed).toContain('semlink.v1.ChannelEmulatorService');
    expect(listed).toContain('grpc.health.v1.Health');
    const described = (await ask(method.fileContaining('semlink.v1.ChannelEmulatorService'))).toString('latin1');
    expect(described).toContain('SetChannelRequest');
    expect(described).toContain('SymbolFrame');
  });
});

describe('fileDescriptors', () => {
  it('gives each file once, with all that it imports', () => {
    const service = ChannelEmulatorService as unknown as Parameters<typeof fileDescriptors>[0][number];
    const names = fileDescriptors([service, service]).map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
    expect(names.sort()).toEqual([
      'semlink/v1/channel_emulator.proto',
      'semlink/v1/channel_link.proto',
      'semlink/v1/frame.proto',
    ]);
  });
});
