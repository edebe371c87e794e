import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** ONNX's `TensorProto.DataType` numbers, of the types used here. */
export const OnnxType = { float: 1, uint8: 2, int64: 7 } as const;
export type OnnxType = (typeof OnnxType)[keyof typeof OnnxType];

/** A value of a NodeProto attribute. */
export type OnnxAttribute = number | number[];

/** A named input or output of a graph; -1 is the batch. */
export interface OnnxPort {
  name: string;
  type: OnnxType;
  shape: number[];
}

/** `AttributeProto.AttributeType` of an integer and of a list of them. */
const INT = 2;
const INTS = 7;
/** Operators as of ONNX 1.12 and a file format that ONNX Runtime has read since 1.12. */
const OPERATOR_SET = 17;
const FORMAT_VERSION = 8;

/**
 * Writes an ONNX model whose weights are inside the file. Field numbers are those of onnx.proto; the same calls always
 * give the same bytes.
 */
export class OnnxGraph {
  readonly #nodes: Uint8Array[] = [];
  readonly #constants: Uint8Array[] = [];
  readonly #names = new Set<string>();

  /** Adds an operator with one output; returns the output's name, which is `name`. */
  node(op: string, name: string, inputs: string[], attributes: Record<string, OnnxAttribute> = {}): string {
    this.#claim(name);
    const bytes = message((w) => {
      for (const input of inputs) w.tag(1, WireType.LengthDelimited).string(input);
      w.tag(2, WireType.LengthDelimited).string(name);
      w.tag(3, WireType.LengthDelimited).string(name);
      w.tag(4, WireType.LengthDelimited).string(op);
      for (const key of Object.keys(attributes).sort()) {
        w.tag(5, WireType.LengthDelimited).bytes(attributeProto(key, attributes[key]!));
      }
    });
    this.#nodes.push(bytes);
    return name;
  }

  /** Adds a constant; returns its name. `data` has the type's own elements, int64 as BigInt64Array. */
  constant(name: string, type: OnnxType, shape: number[], data: ArrayBufferView): string {
    this.#claim(name);
    const bytes = message((w) => {
      for (const size of shape) w.tag(1, WireType.Varint).int64(size);
      w.tag(2, WireType.Varint).int32(type);
      w.tag(8, WireType.LengthDelimited).string(name);
      const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      w.tag(9, WireType.LengthDelimited).bytes(raw);
    });
    this.#constants.push(bytes);
    return name;
  }

  /** The model's file. Outputs are names that nodes were given. */
  finish(inputs: OnnxPort[], outputs: OnnxPort[]): Uint8Array {
    const graph = message((w) => {
      for (const node of this.#nodes) w.tag(1, WireType.LengthDelimited).bytes(node);
      w.tag(2, WireType.LengthDelimited).string('semlink');
      for (const constant of this.#constants) w.tag(5, WireType.LengthDelimited).bytes(constant);
      for (const port of inputs) w.tag(11, WireType.LengthDelimited).bytes(valueInfo(port));
      for (const port of outputs) w.tag(12, WireType.LengthDelimited).bytes(valueInfo(port));
    });
    const operators = message((w) => {
      w.tag(1, WireType.LengthDelimited).string('').tag(2, WireType.Varint).int64(OPERATOR_SET);
    });
    return message((w) => {
      w.tag(1, WireType.Varint).int64(FORMAT_VERSION);
      w.tag(7, WireType.LengthDelimited).bytes(graph);
      w.tag(8, WireType.LengthDelimited).bytes(operators);
    });
  }

  #claim(name: string): void {
    if (this.#names.has(name)) throw new Error(`graph already has a value "${name}"`);
    this.#names.add(name);
  }
}

function message(write: (writer: BinaryWriter) => void): Uint8Array {
  const writer = new BinaryWriter();
  write(writer);
  return writer.finish();
}

function attributeProto(name: string, value: OnnxAttribute): Uint8Array {
  return message((w) => {
    w.tag(1, WireType.LengthDelimited).string(name);
    if (typeof value === 'number') w.tag(3, WireType.Varint).int64(value);
    else for (const one of value) w.tag(8, WireType.Varint).int64(one);
    w.tag(20, WireType.Varint).int32(typeof value === 'number' ? INT : INTS);
  });
}

function valueInfo({ name, type, shape }: OnnxPort): Uint8Array {
  const dimension = (size: number) =>
    message((w) => {
      if (size < 0) w.tag(2, WireType.LengthDelimited).string('N');
      else w.tag(1, WireType.Varint).int64(size);
    });
  const shapeProto = message((w) => {
    for (const size of shape) w.tag(1, WireType.LengthDelimited).bytes(dimension(size));
  });
  const tensorType = message((w) => {
    w.tag(1, WireType.Varint).int32(type).tag(2, WireType.LengthDelimited).bytes(shapeProto);
  });
  const typeProto = message((w) => w.tag(1, WireType.LengthDelimited).bytes(tensorType));
  return message((w) => {
    w.tag(1, WireType.LengthDelimited).string(name).tag(2, WireType.LengthDelimited).bytes(typeProto);
  });
}
