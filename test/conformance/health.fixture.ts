/** A client of grpc.health.v1, as a load balancer or a kubelet would be one. */
import { Client, type ClientReadableStream, credentials, type MethodDefinition } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';

export interface HealthClient {
  /** SERVING, NOT_SERVING, ...; rejects with the gRPC error, for example NOT_FOUND for an unknown name. */
  check(name: string): Promise<string>;
  /** Every status from now on, the present one first, until the stream ends. */
  watch(name: string): { readonly statuses: readonly string[]; readonly ended: Promise<void> };
  close(): void;
}

type Request = { service: string };
type Response = { status: string };

/** @param address `host:port` of any of our servers */
export function healthClient(address: string): HealthClient {
  const client = new Client(address, credentials.createInsecure());
  const { Check, Watch } = service as unknown as Record<'Check' | 'Watch', MethodDefinition<Request, Response>>;
  return {
    check: (name) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          Check.path,
          Check.requestSerialize,
          Check.responseDeserialize,
          { service: name },
          { deadline: Date.now() + 5_000 },
          (error, response) => (error ? reject(error) : resolve(response!.status)),
        );
      }),
    watch(name) {
      const statuses: string[] = [];
      const call: ClientReadableStream<Response> = client.makeServerStreamRequest(
        Watch.path,
        Watch.requestSerialize,
        Watch.responseDeserialize,
        { service: name },
      );
      call.on('data', ({ status }: Response) => statuses.push(status));
      call.on('error', () => {});
      return { statuses, ended: new Promise((resolve) => call.on('status', () => resolve())) };
    },
    close: () => client.close(),
  };
}
