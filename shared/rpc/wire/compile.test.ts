import { create, type DescField, type DescMessage, fromBinary, ScalarType, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  PropagateRequestSchema,
  PropagateResponseSchema,
  SetChannelRequestSchema,
} from '../../gen/semlink/v1/channel_emulator_pb.js';
import {
  FrameHeaderSchema,
  FrameResultSchema,
  type SymbolFrame,
  SymbolFrameSchema,
} from '../../gen/semlink/v1/frame_pb.js';
import { ReceiveRequestSchema } from '../../gen/semlink/v1/receiver_decoder_pb.js';
import { TransmitRequestSchema } from '../../gen/semlink/v1/transmitter_encoder_pb.js';
import { codecOf } from './compile.js';

const types: DescMessage[] = [
  PropagateRequestSchema,
  PropagateResponseSchema,
  SetChannelRequestSchema,
  ReceiveRequestSchema,
  TransmitRequestSchema,
  FrameResultSchema,
];

const uint64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(0n, 1n, 127n, 128n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 35n - 1n, 2n ** 35n, 2n ** 63n, 2n ** 64n - 1n),
);
const uint32 = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc.constantFrom(0, 127, 128, 2 ** 28 - 1, 2 ** 28, 2 ** 31, 2 ** 32 - 1),
);
const string = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 100 }),
  fc.constant('a'.repeat(300)),
);
const scalars: Partial<Record<ScalarType, fc.Arbitrary<unknown>>> = {
  [ScalarType.DOUBLE]: fc.double(),
  [ScalarType.FLOAT]: fc.float(),
  [ScalarType.UINT64]: uint64,
  [ScalarType.FIXED64]: uint64,
  [ScalarType.UINT32]: uint32,
  [ScalarType.BOOL]: fc.boolean(),
  [ScalarType.STRING]: string,
  [ScalarType.BYTES]: fc.uint8Array({ maxLength: 300 }),
};

/** Any value of one field, without what `create` completes. */
function anyOf(field: DescField): fc.Arbitrary<unknown> {
  if (field.message) return messageOf(field.message);
  if (field.enum) return fc.constantFrom(...field.enum.values.map(({ number }) => number));
  return scalars[field.scalar as ScalarType]!;
}

function messageOf(type: DescMessage): fc.Arbitrary<Record<string, unknown>> {
  const shape: Record<string, fc.Arbitrary<unknown>> = {};
  for (const member of type.members) {
    if (member.kind === 'oneof') {
      const cases = member.fields.map((field) => anyOf(field).map((value) => ({ case: field.localName, value })));
      shape[member.localName] = fc.oneof(...cases);
    } else if (member.fieldKind === 'list') {
      shape[member.localName] = fc.array(anyOf(member), { maxLength: 4 });
    } else {
      shape[member.localName] = anyOf(member);
    }
  }
  return fc.record(shape, { requiredKeys: [] });
}

const frame = (): SymbolFrame =>
  create(SymbolFrameSchema, {
    header: { linkId: 'a', sequence: 5n, captureTimeUnixNano: 2n ** 60n },
    channelUses: 300,
    iq: new Uint8Array(70_000).fill(3),
    channel: { model: 'awgn', gains: [1, 0], blockSymbols: 1 },
  });

describe('a compiled codec', () => {
  it.each(types)('writes and reads $typeName as protobuf-es does', (type) => {
    const codec = codecOf(type);
    fc.assert(
      fc.property(messageOf(type), (init) => {
        const message = create(type, init);
        const bytes = codec.encode(message);
        expect(bytes.equals(toBinary(type, message))).toBe(true);
        expect(codec.decode(bytes)).toEqual(fromBinary(type, new Uint8Array(bytes)));
      }),
      { numRuns: 150 },
    );
  });

  it('reads any broken input as protobuf-es does, or fails as it does', () => {
    const sound = toBinary(SymbolFrameSchema, { ...frame(), iq: new Uint8Array(40) });
    const codec = codecOf(SymbolFrameSchema);
    const outcome = (read: () => unknown) => {
      try {
        return { value: read() };
      } catch (error) {
        return { error: String(error) };
      }
    };
    const change = fc.record({ at: fc.nat(sound.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 3 }), fc.nat(sound.length), (changes, length) => {
        const bytes = Buffer.from(sound);
        for (const { at, byte } of changes) bytes[at] = byte;
        const input = bytes.subarray(0, length);
        const expected = outcome(() => fromBinary(SymbolFrameSchema, new Uint8Array(input)));
        expect(outcome(() => codec.decode(input))).toEqual(expected);
      }),
      { numRuns: 3000 },
    );
  });

  it('keeps unknown fields, merges what is given twice and takes lists that are not packed', () => {
    const codec = codecOf(SymbolFrameSchema);
    const unknown = new BinaryWriter()
      .uint32((999 << 3) | 2)
      .string('later')
      .finish();
    const twice = toBinary(SymbolFrameSchema, create(SymbolFrameSchema, { header: { modelVersion: 'm' } }));
    const gains = new BinaryWriter()
      .uint32((8 << 3) | 2)
      .fork()
      .uint32((4 << 3) | 5)
      .float(0.5)
      .join()
      .finish();
    const bytes = Buffer.concat([toBinary(SymbolFrameSchema, frame()), unknown, twice, gains]);
    const message = codec.decode(bytes);
    expect(message).toEqual(fromBinary(SymbolFrameSchema, new Uint8Array(bytes)));
    expect(message.header).toMatchObject({ linkId: 'a', modelVersion: 'm' });
    expect(message.channel?.gains).toEqual([1, 0, 0.5]);
    expect(codec.decode(codec.encode(message))).toEqual(message);
    expect(codec.encode(message).equals(toBinary(SymbolFrameSchema, message))).toBe(true);
  });

  it('refuses values of a wrong type as protobuf-es does', () => {
    const codec = codecOf(SymbolFrameSchema);
    for (const wrong of [{ channelUses: -1 }, { channelUses: 1.5 }, { sc16Scale: 1e300 }, { iq: 'text' }]) {
      const message = { ...frame(), ...(wrong as object) } as SymbolFrame;
      expect(() => codec.encode(message)).toThrow();
      expect(() => toBinary(SymbolFrameSchema, message)).toThrow();
    }
    // And is none the worse for it.
    expect(codec.encode(frame()).equals(toBinary(SymbolFrameSchema, frame()))).toBe(true);
  });

  it('gives messages of their own: the next one changes nothing in them', () => {
    const codec = codecOf(SymbolFrameSchema);
    const one = codec.encode(frame());
    const copy = Buffer.from(one);
    const big = codec.encode(create(SymbolFrameSchema, { iq: new Uint8Array(3_000_000).fill(9) }));
    expect(big.length).toBeGreaterThan(3_000_000);
    expect(one.equals(copy)).toBe(true);
    expect(codec.decode(one)).toEqual(frame());
    const headers = codecOf(FrameHeaderSchema);
    for (const linkId of ['b', 'é', 'b', 'ab', 'a'.repeat(65)]) {
      const header = create(FrameHeaderSchema, { linkId });
      expect(headers.decode(headers.encode(header))).toEqual(header);
    }
  });
});
