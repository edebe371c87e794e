/** A client of server reflection that knows nothing of our services, as grpcurl does not. */
import { create, createFileRegistry, type FileRegistry, fromBinary } from '@bufbuild/protobuf';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Client, credentials } from '@grpc/grpc-js';

export const REFLECTION_VERSIONS = ['v1', 'v1alpha'] as const;

// Field numbers of grpc/reflection/v1/reflection.proto, the same in v1alpha.
const REQUEST = { fileContainingSymbol: 4, listServices: 7 } as const;
const RESPONSE = { fileDescriptors: 4, services: 6, error: 7 } as const;

export interface ReflectionClient {
  /** Full names of all services. */
  listServices(): Promise<string[]>;
  /** The file that declares a symbol and all that it imports; rejects with what the server says when there is none. */
  filesOf(symbol: string): Promise<FileRegistry>;
  close(): void;
}

/** @param address `host:port` of any of our servers */
export function reflectionClient(address: string, version: (typeof REFLECTION_VERSIONS)[number]): ReflectionClient {
  const client = new Client(address, credentials.createInsecure());
  const ask = (field: number, value: string): Promise<Map<number, Uint8Array[]>> =>
    new Promise((resolve, reject) => {
      const call = client.makeBidiStreamRequest(
        `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
        (bytes: Uint8Array) => Buffer.from(bytes),
        (bytes) => new Uint8Array(bytes),
        { deadline: Date.now() + 10_000 } as never,
      );
      call.once('data', (bytes: Uint8Array) => resolve(fieldsOf(bytes)));
      call.once('error', reject);
      call.write(new BinaryWriter().tag(field, WireType.LengthDelimited).string(value).finish());
      call.end();
    });
  const filesBySymbol = async (symbol: string): Promise<Uint8Array[]> => {
    const response = await ask(REQUEST.fileContainingSymbol, symbol);
    const error = response.get(RESPONSE.error)?.[0];
    if (error) throw new Error(new TextDecoder().decode(fieldsOf(error).get(2)![0]));
    return fieldsOf(response.get(RESPONSE.fileDescriptors)![0]!).get(1) ?? [];
  };
  return {
    async listServices() {
      const response = await ask(REQUEST.listServices, '*');
      const services = fieldsOf(response.get(RESPONSE.services)![0]!).get(1) ?? [];
      return services.map((service) => new TextDecoder().decode(fieldsOf(service).get(1)![0])).sort();
    },
    async filesOf(symbol) {
      const files = (await filesBySymbol(symbol)).map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
      return createFileRegistry(create(FileDescriptorSetSchema, { file: files.reverse() }));
    },
    close: () => client.close(),
  };
}

/** Fields of a message whose fields are all messages, strings or bytes; numbers are left out. */
function fieldsOf(message: Uint8Array): Map<number, Uint8Array[]> {
  const reader = new BinaryReader(message);
  const fields = new Map<number, Uint8Array[]>();
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    if (wire !== WireType.LengthDelimited) {
      reader.skip(wire);
      continue;
    }
    fields.set(number, [...(fields.get(number) ?? []), reader.bytes()]);
  }
  return fields;
}
