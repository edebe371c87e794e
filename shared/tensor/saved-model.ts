import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** TensorFlow's `DataType` numbers, of the types used here. */
export const DataType = { float32: 1, int32: 3, uint8: 4, bool: 10, bfloat16: 14 } as const;
export type DataType = (typeof DataType)[keyof typeof DataType];

/** A value of a NodeDef attribute. */
export type Attribute =
  | { type: DataType }
  | { int: number }
  | { float: number }
  | { bool: boolean }
  | { string: string }
  | { ints: number[] }
  | { shape: number[] }
  | { tensor: { type: DataType; shape: number[]; data: ArrayBufferView } };

/** A named input or output of a graph; -1 is a free dimension. */
export interface Port {
  node: string;
  type: DataType;
  shape: number[];
}

/** GraphDef version of TensorFlow 2.18, which defined every op used here. */
const PRODUCER_VERSION = 1882;
const MINIMUM_CONSUMER_VERSION = 12;

/**
 * Writes a frozen TensorFlow SavedModel: weights are constants of the graph and it runs in a single session call.
 *
 * TensorFlow.js can load such models but not write them. Field numbers are those of tensorflow/core/protobuf and
 * tensorflow/core/framework; the same calls always give the same bytes.
 */
export class SavedModelGraph {
  readonly #nodes: Uint8Array[] = [];
  readonly #names = new Set<string>();

  /** Adds an op; returns its name, which is how others refer to its first output. */
  node(op: string, name: string, inputs: string[], attributes: Record<string, Attribute>): string {
    if (this.#names.has(name)) throw new Error(`graph already has a node "${name}"`);
    this.#names.add(name);
    const writer = new BinaryWriter();
    writer.tag(1, WireType.LengthDelimited).string(name);
    writer.tag(2, WireType.LengthDelimited).string(op);
    for (const input of inputs) writer.tag(3, WireType.LengthDelimited).string(input);
    for (const key of Object.keys(attributes).sort()) mapEntry(writer, 5, key, attributeValue(attributes[key]!));
    this.#nodes.push(writer.finish());
    return name;
  }

  placeholder(name: string, type: DataType, shape: number[]): string {
    return this.node('Placeholder', name, [], { dtype: { type }, shape: { shape } });
  }

  constant(name: string, type: DataType, shape: number[], data: ArrayBufferView): string {
    return this.node('Const', name, [], { dtype: { type }, value: { tensor: { type, shape, data } } });
  }

  /** The SavedModel (the content of `saved_model.pb`) with one signature, `serving_default`. */
  finish(inputs: Record<string, Port>, outputs: Record<string, Port>): Uint8Array {
    const graph = new BinaryWriter();
    for (const node of this.#nodes) graph.tag(1, WireType.LengthDelimited).bytes(node);
    const versions = new BinaryWriter();
    versions.tag(1, WireType.Varint).int32(PRODUCER_VERSION);
    versions.tag(2, WireType.Varint).int32(MINIMUM_CONSUMER_VERSION);
    graph.tag(4, WireType.LengthDelimited).bytes(versions.finish());

    const signature = new BinaryWriter();
    for (const key of Object.keys(inputs).sort()) mapEntry(signature, 1, key, tensorInfo(inputs[key]!));
    for (const key of Object.keys(outputs).sort()) mapEntry(signature, 2, key, tensorInfo(outputs[key]!));
    signature.tag(3, WireType.LengthDelimited).string('tensorflow/serving/predict');

    const info = new BinaryWriter();
    info.tag(4, WireType.LengthDelimited).string('serve');
    const meta = new BinaryWriter();
    meta.tag(1, WireType.LengthDelimited).bytes(info.finish());
    meta.tag(2, WireType.LengthDelimited).bytes(graph.finish());
    mapEntry(meta, 5, 'serving_default', signature.finish());

    const model = new BinaryWriter();
    model.tag(1, WireType.Varint).int64(1);
    model.tag(2, WireType.LengthDelimited).bytes(meta.finish());
    return model.finish();
  }
}

function mapEntry(writer: BinaryWriter, field: number, key: string, value: Uint8Array): void {
  const entry = new BinaryWriter();
  entry.tag(1, WireType.LengthDelimited).string(key);
  entry.tag(2, WireType.LengthDelimited).bytes(value);
  writer.tag(field, WireType.LengthDelimited).bytes(entry.finish());
}

function shapeProto(shape: number[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const size of shape) {
    writer.tag(2, WireType.LengthDelimited).bytes(new BinaryWriter().tag(1, WireType.Varint).int64(size).finish());
  }
  return writer.finish();
}

function tensorInfo(port: Port): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).string(`${port.node}:0`);
  writer.tag(2, WireType.Varint).int32(port.type);
  writer.tag(3, WireType.LengthDelimited).bytes(shapeProto(port.shape));
  return writer.finish();
}

function attributeValue(value: Attribute): Uint8Array {
  const writer = new BinaryWriter();
  if ('type' in value) writer.tag(6, WireType.Varint).int32(value.type);
  else if ('int' in value) writer.tag(3, WireType.Varint).int64(value.int);
  else if ('float' in value) writer.tag(4, WireType.Bit32).float(value.float);
  else if ('bool' in value) writer.tag(5, WireType.Varint).bool(value.bool);
  else if ('string' in value) writer.tag(2, WireType.LengthDelimited).string(value.string);
  else if ('shape' in value) writer.tag(7, WireType.LengthDelimited).bytes(shapeProto(value.shape));
  else if ('ints' in value) {
    const packed = new BinaryWriter();
    for (const int of value.ints) packed.int64(int);
    const list = new BinaryWriter().tag(3, WireType.LengthDelimited).bytes(packed.finish());
    writer.tag(1, WireType.LengthDelimited).bytes(list.finish());
  } else {
    const { type, shape, data } = value.tensor;
    const tensor = new BinaryWriter();
    tensor.tag(1, WireType.Varint).int32(type);
    tensor.tag(2, WireType.LengthDelimited).bytes(shapeProto(shape));
    tensor.tag(4, WireType.LengthDelimited).bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    writer.tag(8, WireType.LengthDelimited).bytes(tensor.finish());
  }
  return writer.finish();
}
