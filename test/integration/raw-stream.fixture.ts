import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { FrameResult } from '../../shared/gen/semlink/v1/frame_pb.js';
import { until } from './link.fixture.js';

/** One call without our client in between: its results in order of arrival, and how it ended. */
export class RawStream<Req> {
  readonly results: FrameResult[] = [];
  status: { code: number; details: string } | undefined;
  readonly call: ClientDuplexStream<Req, { results: FrameResult[] }>;

  constructor(call: ClientDuplexStream<Req, { results: FrameResult[] }>) {
    this.call = call;
    call.on('data', (response: { results: FrameResult[] }) => this.results.push(...response.results));
    call.on('error', () => {});
    call.on('status', ({ code, details }) => {
      this.status = { code, details };
    });
  }

  /** Sends a message with one frame and waits for its answer. */
  async ask(request: Req): Promise<FrameResult> {
    const before = this.results.length;
    this.call.write(request);
    await until(() => this.results.length > before || this.status !== undefined);
    if (this.results.length === before)
      throw new Error(`the stream ended: ${this.status?.code} ${this.status?.details}`);
    return this.results[before]!;
  }

  async end(): Promise<{ code: number; details: string }> {
    this.call.end();
    await until(() => this.status !== undefined);
    return this.status!;
  }
}
