/**
 * Server reflection (v1 and v1alpha) from protobuf-es descriptors. `@grpc/reflection` wants what proto-loader makes, of
 * which it reads only the serialized FileDescriptorProtos: those are made here from the generated descriptors.
 */
import { type DescFile, type DescService, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { healthDescriptor } from './health-descriptor.js';

type ReflectedPackage = ConstructorParameters<typeof ReflectionService>[0];

/** Serialized FileDescriptorProtos of the services' files and all that they import, each once. */
export function fileDescriptors(services: readonly DescService[]): Buffer[] {
  const files = new Map<string, DescFile>();
  const visit = (file: DescFile): void => {
    if (files.has(file.name)) return;
    files.set(file.name, file);
    for (const dependency of file.dependencies) visit(dependency);
  };
  for (const service of services) visit(service.file);
  return [...files.values()].map((file) => Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)));
}

/** Lets `grpcurl` and its like list and describe the services. */
export function addReflection(server: Server, services: readonly DescService[]): void {
  const described = {
    format: 'Protocol Buffer 3 DescriptorProto',
    type: {},
    fileDescriptorProtos: [...fileDescriptors(services), healthDescriptor()],
  };
  const reflected = { described } as unknown as ReflectedPackage;
  new ReflectionService(reflected).addToServer(server);
}
