import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/** A span as the receiver saw it, with what the tests look at. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: a root. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly startUnixNano: bigint;
  readonly endUnixNano: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** 0 unset, 1 ok, 2 error. */
  readonly statusCode: number;
  readonly statusMessage: string;
  /** `service.name` of the resource. */
  readonly service: string;
  readonly resource: Readonly<Record<string, unknown>>;
  readonly scope: string;
}

type Field = bigint | Uint8Array;

/**
 * Reads one protobuf message into its fields, repeated ones in order: enough for OTLP, whose messages the test decodes
 * by field number (opentelemetry/proto/trace/v1/trace.proto) rather than with the exporter's own code.
 */
function readFields(bytes: Uint8Array): Map<number, Field[]> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, Field[]>();
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    let value: Field;
    if (wire === WireType.Varint) value = BigInt(reader.uint64());
    else if (wire === WireType.Bit64) value = BigInt(reader.fixed64());
    else if (wire === WireType.Bit32) value = BigInt(reader.fixed32());
    else if (wire === WireType.LengthDelimited) value = reader.bytes();
    else throw new Error(`field ${number} has the unexpected wire type ${wire}`);
    const values = fields.get(number);
    if (values) values.push(value);
    else fields.set(number, [value]);
  }
  return fields;
}

const messages = (fields: Map<number, Field[]>, number: number): Uint8Array[] =>
  (fields.get(number) ?? []).filter((value) => value instanceof Uint8Array);
const bytesAt = (fields: Map<number, Field[]>, number: number): Uint8Array =>
  messages(fields, number).at(-1) ?? new Uint8Array();
const textAt = (fields: Map<number, Field[]>, number: number): string =>
  Buffer.from(bytesAt(fields, number)).toString();
const hexAt = (fields: Map<number, Field[]>, number: number): string =>
  Buffer.from(bytesAt(fields, number)).toString('hex');
const numberAt = (fields: Map<number, Field[]>, number: number): bigint => {
  const value = fields.get(number)?.at(-1);
  return typeof value === 'bigint' ? value : 0n;
};

// AnyValue: string 1, bool 2, int 3, double 4, array 5.
function readAnyValue(bytes: Uint8Array): unknown {
  const fields = readFields(bytes);
  if (fields.has(1)) return textAt(fields, 1);
  if (fields.has(2)) return numberAt(fields, 2) === 1n;
  if (fields.has(3)) return Number(BigInt.asIntN(64, numberAt(fields, 3)));
  if (fields.has(4)) {
    const bits = new DataView(new ArrayBuffer(8));
    bits.setBigUint64(0, numberAt(fields, 4));
    return bits.getFloat64(0);
  }
  if (fields.has(5)) return messages(readFields(bytesAt(fields, 5)), 1).map(readAnyValue);
  return undefined;
}

function readAttributes(pairs: readonly Uint8Array[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const fields = readFields(pair);
      return [textAt(fields, 1), readAnyValue(bytesAt(fields, 2))];
    }),
  );
}

/** Decodes an `ExportTraceServiceRequest` in protobuf form. */
export function decodeTraceRequest(request: Uint8Array): ReceivedSpan[] {
  return messages(readFields(request), 1).flatMap((resourceSpans) => {
    const outer = readFields(resourceSpans);
    const resource = readAttributes(messages(readFields(bytesAt(outer, 1)), 1));
    return messages(outer, 2).flatMap((scopeSpans) => {
      const inner = readFields(scopeSpans);
      const scope = textAt(readFields(bytesAt(inner, 1)), 1);
      return messages(inner, 2).map((span) => readSpan(span, resource, scope));
    });
  });
}

function readSpan(bytes: Uint8Array, resource: Record<string, unknown>, scope: string): ReceivedSpan {
  const span = readFields(bytes);
  const status = readFields(bytesAt(span, 15));
  return {
    traceId: hexAt(span, 1),
    spanId: hexAt(span, 2),
    parentSpanId: hexAt(span, 4),
    name: textAt(span, 5),
    startUnixNano: numberAt(span, 7),
    endUnixNano: numberAt(span, 8),
    attributes: readAttributes(messages(span, 9)),
    links: messages(span, 13).map((link) => {
      const fields = readFields(link);
      return { traceId: hexAt(fields, 1), spanId: hexAt(fields, 2) };
    }),
    statusCode: Number(numberAt(status, 3)),
    statusMessage: textAt(status, 2),
    service: String(resource['service.name'] ?? ''),
    resource,
    scope,
  };
}
