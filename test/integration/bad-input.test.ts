import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SemanticLink } from '../../shared/client/link.js';
import type { Manifest } from '../../shared/codec/manifest.js';
import { encodeSymbols } from '../../shared/codec/symbols.js';
import {
  ChannelEmulatorService,
  type PropagateRequest,
  PropagateRequestSchema,
} from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import {
  type ImageFrame,
  ImageFrameSchema,
  SymbolFormat,
  type SymbolFrame,
  SymbolFrameSchema,
} from '../../shared/gen/semlink/v1/frame_pb.js';
import {
  type ReceiveRequest,
  ReceiveRequestSchema,
  ReceiverDecoderService,
} from '../../shared/gen/semlink/v1/receiver_decoder_pb.js';
import {
  type LinkPolicy,
  TransmitRequestSchema,
  TransmitterEncoderService,
} from '../../shared/gen/semlink/v1/transmitter_encoder_pb.js';
import { createRpcClient } from '../../shared/rpc/client.js';
import { Code } from '../../shared/rpc/errors.js';
import {
  classificationOf,
  defaultModel,
  errorOf,
  killAll,
  startTestLink,
  type TestImage,
  type TestLink,
  testImages,
  until,
} from './link.fixture.js';
import { RawStream } from './raw-stream.fixture.js';

let image: TestImage;
let model: Manifest;
let local: TestLink;
const clients = {} as ReturnType<typeof connect>;
beforeAll(async () => {
  const [[first], published, started] = await Promise.all([testImages(1), defaultModel(), startTestLink()]);
  image = first!;
  model = published.manifest;
  local = started;
  Object.assign(clients, connect(local));
});
afterAll(async () => {
  for (const client of Object.values(clients)) client.close();
  try {
    expect(await local?.stop()).toBe(true);
  } finally {
    killAll(Object.values(local?.processes ?? {}));
  }
});

function connect({ processes }: TestLink) {
  const at = (role: keyof typeof processes) => ({ address: processes[role].address });
  return {
    transmitter: createRpcClient(TransmitterEncoderService, at('transmitter-encoder')),
    emulator: createRpcClient(ChannelEmulatorService, at('channel-emulator')),
    receiver: createRpcClient(ReceiverDecoderService, at('receiver-decoder')),
  };
}

let sequence = 0n;
const goodHeader = () => ({
  linkId: 'bad-input',
  sequence: sequence++,
  captureTimeUnixNano: BigInt(Date.now()) * 1_000_000n,
});

type Change<T> = (frame: T) => unknown;

const imageFrame = (change: Change<ImageFrame> = () => {}): ImageFrame => {
  const { rgb, width, height } = image;
  const frame = create(ImageFrameSchema, { header: goodHeader(), rgb, width, height });
  change(frame);
  return frame;
};

/** Eight symbols 1 + 0j, as they would arrive without noise. */
const symbolFrame = (change: Change<SymbolFrame> = () => {}, format = SymbolFormat.SC16): SymbolFrame => {
  const ones = Float32Array.from({ length: 16 }, (_, i) => 1 - (i % 2));
  const { iq, scale } = encodeSymbols(format, ones);
  const frame = create(SymbolFrameSchema, {
    header: { ...goodHeader(), modelVersion: model.version },
    format,
    channelUses: 8,
    sc16Scale: scale,
    iq,
    channel: {
      model: 'awgn',
      snrDb: 10,
      noisePower: 0.1,
      gains: [1, 0],
      blockSymbols: 8,
      measuredTimeUnixNano: BigInt(Date.now()) * 1_000_000n,
    },
  });
  change(frame);
  return frame;
};

type BadFrame<T> = [name: string, change: Change<T>, code: number, message: RegExp];

/** A header and a payload that every hop has to refuse. */
const badHeaders: BadFrame<ImageFrame | SymbolFrame>[] = [
  ['no header', (f) => (f.header = undefined), Code.INVALID_ARGUMENT, /^header is undefined; .* needs a header/],
  ['no link id', (f) => (f.header!.linkId = ''), Code.INVALID_ARGUMENT, /^link_id is ""; use 1 to 64 characters/],
  [
    'a link id with a line break',
    (f) => (f.header!.linkId = 'a\nb'),
    Code.INVALID_ARGUMENT,
    /^link_id is "a\\nb"; use 1 to 64 characters of A-Z a-z 0-9 \. _ : -$/,
  ],
  [
    'a link id of a megabyte',
    (f) => (f.header!.linkId = 'x'.repeat(1_000_000)),
    Code.INVALID_ARGUMENT,
    /^link_id is "x{50,120}\.\.\. \(1000002 characters\); use 1 to 64/,
  ],
  [
    'no capture time',
    (f) => (f.header!.captureTimeUnixNano = 0n),
    Code.INVALID_ARGUMENT,
    /^capture_time_unix_nano is 0; set the time of capture, nanoseconds/,
  ],
  [
    'a traceparent of no form',
    (f) => (f.header!.traceparent = 'yes'),
    Code.INVALID_ARGUMENT,
    /^traceparent is "yes"; use the W3C form .* or leave it empty$/,
  ],
  [
    'an absurd label',
    (f) => (f.header!.trueLabel = 4_000_000_000),
    Code.INVALID_ARGUMENT,
    /^true_label is 4000000000; use 0 to \d+/,
  ],
  [
    'a model version with a path in it',
    (f) => (f.header!.modelVersion = '../../etc/passwd'),
    Code.INVALID_ARGUMENT,
    /^model_version is "\.\.\/\.\.\/etc\/passwd"; use/,
  ],
];

const unknownModel = /^model_version is "m-none-9"; .*m-cifar10-3/;

describe('a bad image', () => {
  const cases: BadFrame<ImageFrame>[] = [
    ...badHeaders,
    ['an unknown model', (f) => (f.header!.modelVersion = 'm-none-9'), Code.NOT_FOUND, unknownModel],
    [
      'a wrong size',
      (f) => (f.width = 64),
      Code.INVALID_ARGUMENT,
      /^image size is "64 x 32"; resize to 32 x 32 for m-/,
    ],
    [
      'too few pixels',
      (f) => (f.rgb = f.rgb.subarray(0, 100)),
      Code.INVALID_ARGUMENT,
      /^length of rgb is "100 bytes"; send 3072: rows of R, G, B$/,
    ],
    ['no pixels', (f) => (f.rgb = new Uint8Array()), Code.INVALID_ARGUMENT, /^length of rgb is "0 bytes"; send 3072/],
    [
      'a label beyond the classes',
      (f) => (f.header!.trueLabel = 10),
      Code.INVALID_ARGUMENT,
      /^true_label is 10; .*0 to 9/,
    ],
  ];
  it.each(cases)('%s: answered by name, and the stream goes on', async (_, change, code, message) => {
    const stream = new RawStream(clients.transmitter.transmit());
    const ask = (frame: ImageFrame) => stream.ask(create(TransmitRequestSchema, { frames: [frame] }));
    const frame = imageFrame(change);
    const result = await ask(frame);
    expect(errorOf(result)).toMatchObject({
      code,
      origin: 'transmitter-encoder',
      message: expect.stringMatching(message),
    });
    if (frame.header) expect(result).toMatchObject({ linkId: frame.header.linkId, sequence: frame.header.sequence });
    expect(result.channelUses).toBe(0);
    classificationOf(await ask(imageFrame()));
    expect(await stream.end()).toMatchObject({ code: Code.OK });
  });

  it('that repeats a sequence in flight is answered, beside the first one', async () => {
    const stream = new RawStream(clients.transmitter.transmit());
    const frame = imageFrame();
    stream.call.write(create(TransmitRequestSchema, { frames: [frame, frame] }));
    await until(() => stream.results.length === 2);
    const [refused, taken] = stream.results;
    expect(errorOf(refused!)).toMatchObject({ code: Code.ALREADY_EXISTS });
    expect(errorOf(refused!)!.message).toMatch(/^sequence of link "bad-input" is \d+; .* without repeats$/);
    classificationOf(taken!);
    expect(await stream.end()).toMatchObject({ code: Code.OK });
  });

  it('sent through the client comes back as a named error', async () => {
    const options = { address: local.address, linkId: 'client' };
    const unknown = new SemanticLink({ ...options, modelVersion: 'm-none-9' });
    expect(errorOf((await unknown.classify(image)).result)).toMatchObject({
      code: Code.NOT_FOUND,
      message: expect.stringMatching(unknownModel),
    });
    await unknown.close();
    const link = new SemanticLink(options);
    const odd = await link.classify({ rgb: new Uint8Array(12), width: 2, height: 2 });
    expect(errorOf(odd.result)?.message).toMatch(/^image size is "2 x 2"; resize to 32 x 32/);
    classificationOf((await link.classify(image)).result);
    await link.close();
    expect(() => new SemanticLink({ ...options, linkId: 'two words' })).toThrow(/^link_id is "two words"; use 1 to 64/);
  });
});

describe('a policy', () => {
  const policyOf = (policy: LinkPolicy['policy'], linkId = 'bad-policy') =>
    create(TransmitRequestSchema, { policies: [{ linkId, policy } as LinkPolicy] });
  const fixed = (channelUses: number) => ({ case: 'fixed', value: { channelUses } }) as LinkPolicy['policy'];
  const target = (accuracy: number) => ({ case: 'targetAccuracy', value: { accuracy } }) as LinkPolicy['policy'];
  const budget = (maxChannelUses: number, maxAirTimeNanos: bigint, symbolRateHz: number) =>
    ({ case: 'budget', value: { maxChannelUses, maxAirTimeNanos, symbolRateHz } }) as LinkPolicy['policy'];

  it.each<[string, LinkPolicy['policy'], RegExp]>([
    ['none', { case: undefined }, /^policy is undefined; set one of fixed, target_accuracy and budget$/],
    ['fixed at 0', fixed(0), /^policy\.fixed\.channel_uses is 0; use one of/],
    ['a target that is no number', target(Number.NaN), /^policy\.target_accuracy\.accuracy is NaN; use 0 to 1$/],
    ['a target above 1', target(85), /^policy\.target_accuracy\.accuracy is 85; use 0 to 1$/],
    [
      'a budget without a limit',
      budget(0, 0n, 0),
      /^policy\.budget is "without a limit"; set max_channel_uses or max_air/,
    ],
    [
      'an air time without a rate',
      budget(0, 1_000n, 0),
      /^policy\.budget\.symbol_rate_hz is 0; max_air_time_nanos needs/,
    ],
    [
      'a rate that is no number',
      budget(8, 1_000n, Number.NaN),
      /^policy\.budget\.symbol_rate_hz is NaN; use a positive/,
    ],
  ])('%s breaks the stream with a sentence', async (_, policy, message) => {
    const stream = new RawStream(clients.transmitter.transmit());
    stream.call.write(policyOf(policy));
    await until(() => stream.status !== undefined);
    expect(stream.status).toMatchObject({ code: Code.INVALID_ARGUMENT, details: expect.stringMatching(message) });
  });

  it('for a bad link breaks the stream with a sentence', async () => {
    const stream = new RawStream(clients.transmitter.transmit());
    stream.call.write(policyOf(fixed(8), 'two words'));
    await until(() => stream.status !== undefined);
    expect(stream.status).toMatchObject({ code: Code.INVALID_ARGUMENT });
    expect(stream.status!.details).toMatch(/^link_id is "two words"; use 1 to 64/);
  });

  it('with a length the model does not have fails frame by frame, until a better one comes', async () => {
    const stream = new RawStream(clients.transmitter.transmit());
    stream.call.write(policyOf(fixed(7), 'bad-input'));
    const ask = () => stream.ask(create(TransmitRequestSchema, { frames: [imageFrame()] }));
    expect(errorOf(await ask())).toMatchObject({
      code: Code.INVALID_ARGUMENT,
      message: `channel uses of the policy is 7; ${model.version} has ${model.channelUses.join(', ')}`,
    });
    stream.call.write(policyOf(fixed(8), 'bad-input'));
    expect(await ask()).toMatchObject({ channelUses: 8, outcome: { case: 'classification' } });
    expect(await stream.end()).toMatchObject({ code: Code.OK });
  });
});

describe('a bad channel', () => {
  const awgn = { case: 'awgn', value: {} } as const;
  it.each([
    ['no number', Number.NaN, /^snr_db is NaN; use an average Es\/N0 of -40 to 60 dB$/],
    ['infinite', Number.POSITIVE_INFINITY, /^snr_db is Infinity; use/],
    ['absurd', 1e6, /^snr_db is 1000000; use/],
  ])('whose SNR is %s is refused with a sentence', async (_, snrDb, message) => {
    await expect(clients.emulator.setChannel({ linkId: 'x', channel: { snrDb, model: awgn } })).rejects.toMatchObject({
      code: Code.INVALID_ARGUMENT,
      message: expect.stringMatching(message),
    });
  });

  it('without a model, or for a bad link, is refused with a sentence', async () => {
    const refused = async (request: Parameters<typeof clients.emulator.setChannel>[0], message: RegExp) =>
      expect(clients.emulator.setChannel(request)).rejects.toMatchObject({
        code: Code.INVALID_ARGUMENT,
        message: expect.stringMatching(message),
      });
    await refused({ linkId: 'x' }, /^channel is undefined; set the channel/);
    await refused(
      { linkId: 'x', channel: { snrDb: 3 } },
      /^channel\.model is undefined; choose one of awgn, rayleigh_block, /,
    );
    await refused({ linkId: 'a/b', channel: { snrDb: 3, model: awgn } }, /^link_id is "a\/b"; use 1 to 64/);
  });
});

const badSymbols: BadFrame<SymbolFrame>[] = [
  [
    'no format',
    (f) => (f.format = SymbolFormat.UNSPECIFIED),
    Code.INVALID_ARGUMENT,
    /^symbol format is "UNSPECIFIED"; use SYMBOL_FORMAT_SC16 or SYMBOL_FORMAT_FC32$/,
  ],
  ['no symbols', (f) => (f.channelUses = 0), Code.INVALID_ARGUMENT, /^channel_uses is 0; /],
  ['too few bytes', (f) => (f.iq = f.iq.subarray(0, 5)), Code.INVALID_ARGUMENT, /iq.* is .*5.*; /],
  ['a scale of 0', (f) => (f.sc16Scale = 0), Code.INVALID_ARGUMENT, /^sc16_scale is 0; /],
  ['a scale that is no number', (f) => (f.sc16Scale = Number.NaN), Code.INVALID_ARGUMENT, /^sc16_scale is NaN; /],
];

/** NaN in place of the first symbol's real part. */
const notANumber: Change<SymbolFrame> = (frame) => {
  const view = new DataView(frame.iq.buffer, frame.iq.byteOffset, frame.iq.byteLength);
  view.setFloat32(0, Number.NaN, true);
};

describe('bad symbols for the channel-emulator', () => {
  const ask = (stream: RawStream<PropagateRequest>, frame: SymbolFrame) =>
    stream.ask(create(PropagateRequestSchema, { frames: [frame] }));
  const cases: BadFrame<SymbolFrame>[] = [...badHeaders, ...badSymbols];
  it.each(cases)('%s: answered by name, and the stream goes on', async (_, change, code, message) => {
    const stream = new RawStream(clients.emulator.propagate());
    const result = await ask(stream, symbolFrame(change));
    expect(errorOf(result)).toMatchObject({
      code,
      origin: 'channel-emulator',
      message: expect.stringMatching(message),
    });
    classificationOf(await ask(stream, symbolFrame()));
    expect(await stream.end()).toMatchObject({ code: Code.OK });
  });

  it('NaN is not sent on the air', async () => {
    const stream = new RawStream(clients.emulator.propagate());
    const { position } = await clients.emulator.getChannel({ linkId: 'bad-input' });
    const error = errorOf(await ask(stream, symbolFrame(notANumber, SymbolFormat.FC32)));
    expect(error).toMatchObject({ code: Code.INVALID_ARGUMENT, origin: 'channel-emulator' });
    expect(error!.message).toMatch(/NaN; /);
    expect((await clients.emulator.getChannel({ linkId: 'bad-input' })).position).toBe(position);
    classificationOf(
      await ask(
        stream,
        symbolFrame(() => {}, SymbolFormat.FC32),
      ),
    );
    expect(await stream.end()).toMatchObject({ code: Code.OK });
  });
});

describe('bad symbols for the receiver-decoder', () => {
  const ask = (stream: RawStream<ReceiveRequest>, frame: SymbolFrame) =>
    stream.ask(create(ReceiveRequestSchema, { frames: [frame] }));
  const cases: BadFrame<SymbolFrame>[] = [
    ...badHeaders,
    ...badSymbols,
    ['an unknown model', (f) => (f.header!.modelVersion = 'm-none-9'), Code.NOT_FOUND, unknownModel],
    [
      'more symbols than the model takes',
      (f) => (f.channelUses = 129),
      Code.INVALID_ARGUMENT,
      /^channel_uses is 129; .* 128/,
    ],
    [
      'no channel state',
      (f) => (f.channel = undefined),
      Code.INVALID_ARGUMENT,
      /^channel is undefined; the channel state/,
    ],
    [
      'noise that is no number',
      (f) => (f.channel!.noisePower = Number.NaN),
      Code.INVALID_ARGUMENT,
      /^channel\.noise_power is NaN; use/,
    ],
    [
      'an SNR that is no number',
      (f) => (f.channel!.snrDb = Number.NaN),
      Code.INVALID_ARGUMENT,
      /^channel\.snr_db is NaN; /,
    ],
    [
      'too few gains',
      (f) => (f.channel!.blockSymbols = 2),
      Code.INVALID_ARGUMENT,
      /^channel\.gains is \[1,0\]; 4 finite/,
    ],
    [
      'blocks of no length',
      (f) => (f.channel!.blockSymbols = 0),
      Code.INVALID_ARGUMENT,
      /^channel\.block_symbols is 0; /,
    ],
  ];
  it.each(cases)('%s: answered by name, and the stream goes on', async (_, change, code, message) => {
    const stream = new RawStream(clients.receiver.receive());
    const result = await ask(stream, symbolFrame(change));
    expect(errorOf(result)).toMatchObject({
      code,
      origin: 'receiver-decoder',
      message: expect.stringMatching(message),
    });
    classificationOf(await ask(stream, symbolFrame()));
    expect(await stream.end()).toMatchObject({ code: Code.OK });
  });

  it('NaN is refused', async () => {
    const stream = new RawStream(clients.receiver.receive());
    const error = errorOf(await ask(stream, symbolFrame(notANumber, SymbolFormat.FC32)));
    expect(error).toMatchObject({ code: Code.INVALID_ARGUMENT, origin: 'receiver-decoder' });
    expect(error!.message).toMatch(/NaN; /);
    classificationOf(
      await ask(
        stream,
        symbolFrame(() => {}, SymbolFormat.FC32),
      ),
    );
    expect(await stream.end()).toMatchObject({ code: Code.OK });
  });
});

describe('an oversize message', () => {
  it('ends the stream with RESOURCE_EXHAUSTED, and a new one works', async () => {
    const stream = new RawStream(clients.transmitter.transmit());
    stream.call.write(
      create(TransmitRequestSchema, { frames: [imageFrame((f) => (f.rgb = new Uint8Array(5_000_000)))] }),
    );
    await until(() => stream.status !== undefined);
    expect(stream.status).toMatchObject({ code: Code.RESOURCE_EXHAUSTED, details: expect.stringContaining('4194304') });
    const next = new RawStream(clients.transmitter.transmit());
    classificationOf(await next.ask(create(TransmitRequestSchema, { frames: [imageFrame()] })));
    await next.end();
  });

  it('from the client is a named error of that image, which says what to do', async () => {
    const link = new SemanticLink({ address: local.address, linkId: 'large' });
    const { result } = await link.classify({ rgb: new Uint8Array(5_000_000), width: 32, height: 32 });
    expect(errorOf(result)).toMatchObject({ code: Code.RESOURCE_EXHAUSTED, origin: 'client' });
    expect(errorOf(result)!.message).toMatch(/a message of 50\d+ bytes is over the limit of 4194304 bytes; send fewer/);
    classificationOf((await link.classify(image)).result);
    await link.close();
  });

  it('with too many frames has those beyond the limit answered by name', async () => {
    const stream = new RawStream(clients.transmitter.transmit());
    const frames = Array.from({ length: 4_100 }, () => imageFrame((f) => (f.rgb = new Uint8Array())));
    stream.call.write(create(TransmitRequestSchema, { frames }));
    await until(() => stream.results.length === frames.length);
    const beyond = stream.results.filter((result) => errorOf(result)?.code === Code.RESOURCE_EXHAUSTED);
    expect(beyond).toHaveLength(4);
    expect(errorOf(beyond[0]!)!.message).toMatch(/^frames in one message is 4100; send at most 4096/);
    expect(await stream.end()).toMatchObject({ code: Code.OK });
  });
});
