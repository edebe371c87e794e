import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { create, type DescMethod, fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Code } from '../../shared/rpc/errors.js';
import { SERVICES, type ServiceName } from '../../shared/telemetry/index.js';
import { defaultModel, killAll, startTestLink, type TestLink, until } from '../integration/link.fixture.js';
import { healthClient } from './health.fixture.js';
import { REFLECTION_VERSIONS, reflectionClient } from './reflection.fixture.js';

/** Methods by service: name, and which sides stream. */
const contract: Record<ServiceName, { service: string; methods: Record<string, DescMethod['methodKind']> }> = {
  'transmitter-encoder': {
    service: 'semlink.v1.TransmitterEncoderService',
    methods: { Transmit: 'bidi_streaming', ListModels: 'unary' },
  },
  'channel-emulator': {
    service: 'semlink.v1.ChannelEmulatorService',
    methods: {
      Propagate: 'bidi_streaming',
      SetChannel: 'unary',
      GetChannel: 'unary',
      ResetChannel: 'unary',
      WatchChannel: 'server_streaming',
      WatchSymbols: 'server_streaming',
      SnapshotChannels: 'server_streaming',
      RestoreChannels: 'unary',
      RunScenario: 'server_streaming',
      ControlScenario: 'unary',
      ListScenarios: 'unary',
    },
  },
  'receiver-decoder': {
    service: 'semlink.v1.ReceiverDecoderService',
    methods: { Receive: 'bidi_streaming' },
  },
};

const hasGrpcurl = spawnSync('grpcurl', ['-version']).status === 0;
if (!hasGrpcurl) process.stderr.write('grpcurl is not on PATH: the test with it is left out\n');

let local: TestLink;
const addressOf = (role: ServiceName) => local.processes[role].address;
beforeAll(async () => {
  local = await startTestLink();
});
afterAll(async () => {
  try {
    expect(await local?.stop()).toBe(true);
  } finally {
    killAll(Object.values(local?.processes ?? {}));
  }
});

describe.each([...SERVICES])('the %s', (role) => {
  const { service, methods } = contract[role];

  it.each([...REFLECTION_VERSIONS])('lists and describes its services by reflection %s', async (version) => {
    const client = reflectionClient(addressOf(role), version);
    expect(await client.listServices()).toEqual(expect.arrayContaining(['grpc.health.v1.Health', service]));
    expect((await client.listServices()).filter((name) => name.startsWith('semlink.'))).toEqual([service]);
    const described = (await client.filesOf(service)).getService(service)!;
    expect(Object.fromEntries(described.methods.map((one) => [one.name, one.methodKind]))).toEqual(methods);
    // A message of an imported file, with its fields.
    const header = (await client.filesOf('semlink.v1.FrameHeader')).getMessage('semlink.v1.FrameHeader')!;
    expect(header.fields.map(({ name }) => name)).toContain('capture_time_unix_nano');
    const health = (await client.filesOf('grpc.health.v1.Health')).getService('grpc.health.v1.Health')!;
    expect(health.methods.map(({ name }) => name)).toEqual(expect.arrayContaining(['Check', 'Watch']));
    await expect(client.filesOf('semlink.v1.Nothing')).rejects.toThrow(/semlink\.v1\.Nothing/);
    client.close();
  });

  it('tells its health as a whole and by service', async () => {
    const client = healthClient(addressOf(role));
    expect(await client.check('')).toBe('SERVING');
    expect(await client.check(service)).toBe('SERVING');
    await expect(client.check('semlink.v1.Nothing')).rejects.toMatchObject({ code: Code.NOT_FOUND });
    const watched = [client.watch(''), client.watch(service), client.watch('semlink.v1.Nothing')];
    await until(() => watched.every(({ statuses }) => statuses.length > 0));
    expect(watched.map(({ statuses }) => statuses)).toEqual([['SERVING'], ['SERVING'], ['SERVICE_UNKNOWN']]);
    client.close();
  });

  it('answers UNIMPLEMENTED to a method it does not have', async () => {
    const client = new Client(addressOf(role), credentials.createInsecure());
    const bytes = (value: Uint8Array) => Buffer.from(value);
    const call = new Promise((_, reject) => {
      client.makeUnaryRequest(`/${service}/Nothing`, bytes, bytes, new Uint8Array(), (error) => reject(error));
    });
    await expect(call).rejects.toMatchObject({ code: Code.UNIMPLEMENTED });
    client.close();
  });
});

describe('a client that knows only what reflection says', () => {
  it('calls a method', async () => {
    const address = addressOf('transmitter-encoder');
    const reflection = reflectionClient(address, 'v1');
    const { service } = contract['transmitter-encoder'];
    const registry = await reflection.filesOf(service);
    const method = registry.getService(service)!.method.listModels!;
    const client = new Client(address, credentials.createInsecure());
    const response = await new Promise<Uint8Array>((resolve, reject) => {
      client.makeUnaryRequest(
        `/${service}/${method.name}`,
        (bytes: Uint8Array) => Buffer.from(bytes),
        (bytes) => new Uint8Array(bytes),
        toBinary(method.input, create(method.input)),
        (error, value) => (error ? reject(error) : resolve(value!)),
      );
    });
    const { manifest } = await defaultModel();
    expect(toJson(method.output, fromBinary(method.output, response))).toMatchObject({
      models: expect.arrayContaining([
        {
          version: manifest.version,
          width: 32,
          height: 32,
          classNames: manifest.classNames,
          channelUses: manifest.channelUses,
          default: true,
          share: 1,
        },
      ]),
    });
    client.close();
    reflection.close();
  });

  it.skipIf(!hasGrpcurl)('grpcurl lists, describes and calls', async () => {
    const run = promisify(execFile);
    const address = addressOf('channel-emulator');
    const { stdout: list } = await run('grpcurl', ['-plaintext', address, 'list']);
    expect(list.split('\n')).toContain('semlink.v1.ChannelEmulatorService');
    const { stdout: set } = await run('grpcurl', [
      '-plaintext',
      '-d',
      '{"linkId":"curl","channel":{"awgn":{},"snrDb":3}}',
      address,
      'semlink.v1.ChannelEmulatorService/SetChannel',
    ]);
    expect(JSON.parse(set)).toEqual({});
    expect((await local.emulator.getChannel({ linkId: 'curl' })).channel?.snrDb).toBe(3);
  });
});
