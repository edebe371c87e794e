/**
 * Message types compiled to JavaScript that reads and writes their binary form, several times faster than protobuf-es,
 * which looks up every field in its description each time. The messages are the same objects and the bytes the same.
 *
 * Only the common way is compiled. Whatever is uncommon goes to protobuf-es from the start: fields that are not known
 * here, broken input (so that errors are protobuf-es's), a value that is not of its field's type, a message field given
 * twice; and whole types with a kind of field that this project does not use (maps, groups, signed integers).
 *
 * The source of the functions is made of the names and numbers of descriptions alone, never of data.
 */
import {
  type DescField,
  type DescMessage,
  fromBinary,
  type MessageShape,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import { leave } from './uncommon.js';
import { WireReader } from './wire-reader.js';
import { WireWriter } from './wire-writer.js';

export interface Codec<Desc extends DescMessage> {
  encode(message: MessageShape<Desc>): Buffer;
  decode(bytes: Buffer): MessageShape<Desc>;
}

type Read = (reader: WireReader, end: number) => MessageShape<DescMessage>;
type Write = (writer: WireWriter, message: MessageShape<DescMessage>) => void;

const reader = new WireReader();
const writer = new WireWriter();
const codecs = new Map<DescMessage, Codec<DescMessage>>();

/** The codec of a message type; compiled when it is first asked for. */
export function codecOf<Desc extends DescMessage>(schema: Desc): Codec<Desc> {
  let codec = codecs.get(schema);
  if (!codec) {
    codec = compile(schema);
    codecs.set(schema, codec);
  }
  return codec as unknown as Codec<Desc>;
}

/** protobuf-es's own way. */
function plainCodec(schema: DescMessage): Codec<DescMessage> {
  return {
    encode(message) {
      const bytes = toBinary(schema, message);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    // A plain Uint8Array, so that `bytes` fields are plain views and not Buffers with their own idea of slice().
    decode: (bytes) => fromBinary(schema, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
  };
}

function compile(schema: DescMessage): Codec<DescMessage> {
  const plain = plainCodec(schema);
  const types = new Map<DescMessage, number>();
  if (!gather(schema, types)) return plain;
  const source = [...types].map(([type, i]) => `${readSource(type, i, types)}\n${writeSource(type, i, types)}`);
  const make = new Function('leave', `'use strict';\n${source.join('\n')}\nreturn [read0, write0];`);
  const [read, write] = make(leave) as [Read, Write];
  return {
    encode(message) {
      try {
        writer.start();
        write(writer, message);
        return writer.finish();
      } catch {
        return plain.encode(message);
      }
    },
    decode(bytes) {
      try {
        return read(reader, reader.start(bytes));
      } catch {
        return plain.decode(bytes);
      } finally {
        reader.done();
      }
    },
  };
}

/** Numbers the type and those within it; false when one has a field of a kind that is not compiled. */
function gather(type: DescMessage, types: Map<DescMessage, number>): boolean {
  if (types.has(type)) return true;
  types.set(type, types.size);
  return type.fields.every((field) => {
    if (field.fieldKind === 'map' || ('delimitedEncoding' in field && field.delimitedEncoding)) return false;
    if (field.message) return gather(field.message, types);
    return field.enum !== undefined || methodOf(field) !== undefined;
  });
}

const methods: Partial<Record<ScalarType, [name: string, wireType: number, zero: string]>> = {
  [ScalarType.DOUBLE]: ['double', 1, '0'],
  [ScalarType.FLOAT]: ['float', 5, '0'],
  [ScalarType.UINT64]: ['uint64', 0, '0n'],
  [ScalarType.FIXED64]: ['fixed64', 1, '0n'],
  [ScalarType.UINT32]: ['uint32', 0, '0'],
  [ScalarType.BOOL]: ['bool', 0, 'false'],
  [ScalarType.STRING]: ['string', 2, "''"],
  [ScalarType.BYTES]: ['bytes', 2, 'new Uint8Array(0)'],
};

/** Reader's and writer's method, wire type and zero of a field that is no message. */
function methodOf(field: DescField): [name: string, wireType: number, zero: string] | undefined {
  if (field.enum) return ['enumeration', 0, '0'];
  if (field.fieldKind === 'list' && field.listKind === 'scalar') return methods[field.scalar];
  if (field.scalar === undefined || (field.fieldKind === 'scalar' && field.longAsString)) return undefined;
  return methods[field.scalar];
}

const implicitPresence = 2;
const text = (value: string): string => JSON.stringify(value);
const name = (field: DescField): string => `m[${text(field.localName)}]`;

function readSource(type: DescMessage, i: number, types: Map<DescMessage, number>): string {
  const initial = type.members.flatMap((member) => {
    const key = text(member.localName);
    if (member.kind === 'oneof') return [`${key}: { case: undefined }`];
    if (member.fieldKind === 'list') return [`${key}: []`];
    // Room for it from the start: a property that is added later lies apart from its object.
    if (member.presence !== implicitPresence) return [`${key}: undefined`];
    if (member.enum) return [`${key}: ${member.enum.values[0]!.number}`];
    return [`${key}: ${methodOf(member)![2]}`];
  });
  const cases = type.fields.flatMap((field) => readCases(field, types));
  return `function read${i}(r, end) {
    const m = { "$typeName": ${text(type.typeName)}, ${initial.join(', ')} };
    while (r.at < end) switch (r.uint32()) {
      ${cases.join('\n')}
      default: leave();
    }
    if (r.at !== end) leave();
    return m;
  }`;
}

function readCases(field: DescField, types: Map<DescMessage, number>): string[] {
  const tag = (wireType: number) => `case ${field.number * 8 + wireType}:`;
  if (field.message) {
    const value = `read${types.get(field.message)}(r, r.end(end))`;
    if (field.fieldKind === 'list') return [`${tag(2)} ${name(field)}.push(${value}); break;`];
    if (field.oneof) {
      const oneof = `m[${text(field.oneof.localName)}]`;
      // One given twice is merged; and then the first of two kinds is forgotten.
      return [
        `${tag(2)} if (${oneof}.case !== undefined) leave(); ${oneof} = { case: ${text(field.localName)}, value: ${value} }; break;`,
      ];
    }
    return [`${tag(2)} if (${name(field)} !== undefined) leave(); ${name(field)} = ${value}; break;`];
  }
  const [method, wireType] = methodOf(field)!;
  const value = wireType === 2 ? `r.${method}(end)` : `r.${method}()`;
  if (field.fieldKind === 'list') {
    const one = `${tag(wireType)} ${name(field)}.push(${value}); break;`;
    if (wireType === 2) return [one];
    return [
      one,
      `${tag(2)} { const e = r.end(end); while (r.at < e) ${name(field)}.push(${value}); if (r.at !== e) leave(); break; }`,
    ];
  }
  if (field.oneof) {
    return [
      `${tag(wireType)} m[${text(field.oneof.localName)}] = { case: ${text(field.localName)}, value: ${value} }; break;`,
    ];
  }
  return [`${tag(wireType)} ${name(field)} = ${value}; break;`];
}

function writeSource(type: DescMessage, i: number, types: Map<DescMessage, number>): string {
  // From back to front, fields as well.
  const fields = type.fields.toSorted((a, b) => b.number - a.number);
  return `function write${i}(w, m) {
    if (m.$unknown !== undefined || m.$typeName !== ${text(type.typeName)}) leave();
    ${fields.map((field) => writeField(field, types)).join('\n')}
  }`;
}

function writeField(field: DescField, types: Map<DescMessage, number>): string {
  const tag = (wireType: number) => `w.tag(${field.number * 8 + wireType});`;
  const nested = (body: string) => `const before = w.written; ${body} w.uint32(w.written - before); ${tag(2)}`;
  const message = (value: string) => nested(`write${types.get(field.message!)}(w, ${value});`);
  const [method, wireType, zero] = field.message ? ['', 2, ''] : methodOf(field)!;
  const scalar = (value: string) => `w.${method}(${value}); ${tag(wireType)}`;
  const one = field.message ? message : scalar;
  if (field.fieldKind === 'list') {
    const all = (body: string) => `for (let i = v.length - 1; i >= 0; i--) { ${body} }`;
    const packed = field.message === undefined && wireType !== 2 && field.packed;
    const body = packed ? `if (v.length > 0) { ${nested(all(`w.${method}(v[i]);`))} }` : all(one('v[i]'));
    return `{ const v = ${name(field)}; if (!Array.isArray(v)) leave(); ${body} }`;
  }
  if (field.oneof) {
    return `{ const o = m[${text(field.oneof.localName)}]; if (o.case === ${text(field.localName)}) { ${one('o.value')} } }`;
  }
  const isSet =
    field.presence !== implicitPresence
      ? 'v !== undefined'
      : field.scalar === ScalarType.BYTES
        ? 'v.length !== 0'
        : field.scalar === ScalarType.FLOAT || field.scalar === ScalarType.DOUBLE
          ? '!Object.is(v, 0)'
          : `v !== ${field.enum ? field.enum.values[0]!.number : zero}`;
  return `{ const v = ${name(field)}; if (${isSet}) { ${one('v')} } }`;
}
