/**
 * grpc.health.v1 as reflection describes it. grpc-health-check carries a description of its own, but with type names that
 * are relative and a misnamed map entry, which strict clients refuse.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt';

const PACKAGE = 'grpc.health.v1';
const qualified = (name: string) => `.${PACKAGE}.${name}`;
const one = { label: Label.OPTIONAL };
const method = (name: string, message: string, serverStreaming = false) => ({
  name,
  inputType: qualified(`${message}Request`),
  outputType: qualified(`${message}Response`),
  serverStreaming,
});

const health: FileDescriptorProto = create(FileDescriptorProtoSchema, {
  name: 'grpc/health/v1/health.proto',
  package: PACKAGE,
  syntax: 'proto3',
  messageType: [
    { name: 'HealthCheckRequest', field: [{ name: 'service', number: 1, type: Type.STRING, ...one }] },
    {
      name: 'HealthCheckResponse',
      field: [
        {
          name: 'status',
          number: 1,
          type: Type.ENUM,
          typeName: qualified('HealthCheckResponse.ServingStatus'),
          ...one,
        },
      ],
      enumType: [
        {
          name: 'ServingStatus',
          value: ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'].map((name, number) => ({ name, number })),
        },
      ],
    },
    { name: 'HealthListRequest' },
    {
      name: 'HealthListResponse',
      field: [
        {
          name: 'statuses',
          number: 1,
          type: Type.MESSAGE,
          typeName: qualified('HealthListResponse.StatusesEntry'),
          label: Label.REPEATED,
        },
      ],
      nestedType: [
        {
          name: 'StatusesEntry',
          field: [
            { name: 'key', number: 1, type: Type.STRING, ...one },
            { name: 'value', number: 2, type: Type.MESSAGE, typeName: qualified('HealthCheckResponse'), ...one },
          ],
          options: { mapEntry: true },
        },
      ],
    },
  ],
  service: [
    {
      name: 'Health',
      method: [method('Check', 'HealthCheck'), method('Watch', 'HealthCheck', true), method('List', 'HealthList')],
    },
  ],
});

/** The serialized FileDescriptorProto of grpc.health.v1. */
export function healthDescriptor(): Buffer {
  return Buffer.from(toBinary(FileDescriptorProtoSchema, health));
}
