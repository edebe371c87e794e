import { create } from '@bufbuild/protobuf';
import { Metadata } from '@grpc/grpc-js';
import type { RatePolicy } from '../codec/rate-control.js';
import {
  type ChannelStateFeedback,
  type FrameError,
  type FrameHeader,
  FrameHeaderSchema,
  type FrameResult,
  type ImageFrame,
  ImageFrameSchema,
} from '../gen/semlink/v1/frame_pb.js';
import {
  type ModelInfo,
  type TransmitRequest,
  TransmitRequestSchema,
  type TransmitResponse,
  TransmitterEncoderService,
} from '../gen/semlink/v1/transmitter_encoder_pb.js';
import { CLIENT_TRACES_KEY } from '../rpc/client-traces.js';
import { Code, toSemlinkError } from '../rpc/errors.js';
import { checkLinkId } from '../rpc/frame-header.js';
import { FrameStreamClient } from '../rpc/frame-stream-client.js';
import { PinnedClients } from '../rpc/pinned-clients.js';
import { clientTls, type TlsConfig } from '../rpc/tls.js';
import { ATTRIBUTES, FrameFailures, type FrameRoot, FrameTracer, nowUnixNano } from '../telemetry/index.js';
import { policyMessage } from './policy.js';

/** `FrameError.origin` of what is said here. */
const ROLE = 'client';

const RECONNECT_WAIT_MS = 2_000;
/** Between two attempts to ask a transmitter that is down. */
const RETRY_MS = 200;

/** Images a second that fail and are traced though they were not sampled. */
const FAILURES_PER_SECOND = 20;

/** An image to send. */
export interface LinkImage {
  /** width * height * 3 bytes, rows of R, G, B, 0 to 255. */
  rgb: Uint8Array;
  /** Pixels; must be the model's input size (`listModels`). */
  width: number;
  height: number;
  /** The right class where it is known, for measurement. */
  label?: number | undefined;
}

/** The answer for one image: exactly one for every image sent, a classification or an error. */
export interface LinkAnswer<C> {
  /** What was given along with the image. */
  context: C;
  /** `result.outcome.case` is 'classification' or 'error'; see proto/semlink/v1/frame.proto for the rest. */
  result: FrameResult;
  /** From the call of `send` to the answer, seconds. */
  latencySeconds: number;
}

export interface LinkOptions {
  /**
   * `host:port` of a transmitter-encoder; several with commas between, or a name with several addresses: the link is
   * pinned to one of them by its id, and goes to another while that one is out of reach.
   */
  address: string;
  /** Name of the radio link; 1 to 64 characters of [A-Za-z0-9._:-]. */
  linkId: string;
  /** How the number of channel uses is chosen; default: the transmitter's own policy. */
  policy?: RatePolicy | undefined;
  /** Published model; default: the transmitter's own. */
  modelVersion?: string | undefined;
  /** Images sent and not yet answered at most; `send` waits beyond. Default 256. */
  maxInFlight?: number;
  /** An image without an answer for so long is answered DEADLINE_EXCEEDED, ms. Default 30,000. */
  timeoutMs?: number;
  /** How long images, and `listModels`, wait for a transmitter that is down before they get UNAVAILABLE, ms. Default 2,000. */
  reconnectWaitMs?: number;
  /**
   * Share of images traced, 0 to 1; those that fail are traced besides, 20 a second at most. Default: none, not even those.
   * Needs OTEL_EXPORTER_OTLP_ENDPOINT and `startTracing`.
   */
  traceSampleRatio?: number;
  /** Files for TLS; `ca` alone encrypts, `cert` and `key` are shown where the transmitter asks. Default: plain text. */
  tls?: Partial<TlsConfig> | undefined;
  onFeedback?: (feedback: ChannelStateFeedback[]) => void;
  /** Connected, draining, down, with a sentence. */
  onState?: (state: 'open' | 'draining' | 'down', detail: string) => void;
}

interface Sent<C> {
  context: C;
  startUnixNano: bigint;
  root: FrameRoot | undefined;
  label: number | undefined;
  answered: (answer: LinkAnswer<C>) => void;
}

/**
 * A semantic link as a program uses it: images in, answers out, over one stream that reconnects by itself.
 *
 * ```ts
 * const link = new SemanticLink({ address: '127.0.0.1:50051', linkId: 'uav-7' });
 * const { result } = await link.classify({ rgb, width: 32, height: 32 });
 * await link.close();
 * ```
 */
export class SemanticLink {
  readonly #options: LinkOptions;
  readonly #clients: PinnedClients<typeof TransmitterEncoderService.method>;
  readonly #stream: FrameStreamClient<ImageFrame, TransmitRequest, TransmitResponse, Sent<unknown>>;
  readonly #tracer: FrameTracer;
  readonly #failures: FrameFailures;
  readonly #maxInFlight: number;
  readonly #waiting: (() => void)[] = [];
  #policy: RatePolicy | undefined;
  #sequence = 0n;
  #inFlight = 0;

  /** @throws SemlinkError INVALID_ARGUMENT for a bad link id; connects with the first image */
  constructor(options: LinkOptions) {
    checkLinkId(options.linkId);
    const { address, linkId } = options;
    this.#options = options;
    this.#policy = options.policy;
    this.#maxInFlight = options.maxInFlight ?? 256;
    this.#tracer = new FrameTracer(ROLE, { sampleRatio: options.traceSampleRatio ?? 0 });
    const traces = options.traceSampleRatio !== undefined;
    this.#failures = new FrameFailures({ service: ROLE, traces, tracesPerSecond: FAILURES_PER_SECOND });
    this.#clients = new PinnedClients(TransmitterEncoderService, {
      role: 'transmitter-encoder',
      address,
      ...clientTls({ cert: '', key: '', ca: '', ...options.tls }),
    });
    this.#stream = new FrameStreamClient({
      peer: { role: 'transmitter-encoder', address },
      origin: ROLE,
      peers: this.#clients.peers((client) => client.transmit({ metadata: streamMetadata(traces) })),
      toRequest: (frames) => create(TransmitRequestSchema, { frames }),
      bytesOf: (frame) => frame.rgb.length,
      // A new stream may be to another replica, which does not know the link's policy yet.
      greeting: () => (this.#policy ? this.#policyRequest(linkId, this.#policy) : undefined),
      onResult: (result, sent, { header }) => this.#answered(result, sent, header!),
      // The window is counted in images here; its bytes only have to be out of the way.
      windowBytes: Number.MAX_SAFE_INTEGER,
      ...(options.onFeedback && { onFeedback: options.onFeedback }),
      ...(options.onState && { onState: options.onState }),
      ...(options.timeoutMs !== undefined && { frameTimeoutMs: options.timeoutMs }),
      reconnectWaitMs: options.reconnectWaitMs ?? RECONNECT_WAIT_MS,
    });
  }

  /** Images sent and not yet answered. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * The models the transmitter has. One that is down, or not up yet, is waited for as with images: `reconnectWaitMs`.
   *
   * @param timeoutMs for the name and for the answer, each time it is asked
   * @throws SemlinkError UNAVAILABLE when it does not come, DEADLINE_EXCEEDED when it does not answer
   */
  async listModels(timeoutMs = 5_000): Promise<ModelInfo[]> {
    const end = performance.now() + (this.#options.reconnectWaitMs ?? RECONNECT_WAIT_MS);
    for (;;) {
      try {
        await this.#clients.resolved(timeoutMs);
        return (await this.#clients.clientOf(this.#options.linkId)!.listModels({}, { deadlineMs: timeoutMs })).models;
      } catch (error) {
        if (toSemlinkError(error).code !== Code.UNAVAILABLE || performance.now() >= end) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** Changes the policy for the images that are sent from now on. */
  setPolicy(policy: RatePolicy): void {
    this.#policy = policy;
    this.#stream.sendControl(this.#policyRequest(this.#options.linkId, policy));
  }

  /** Sends one image and waits for its answer. */
  async classify(image: LinkImage): Promise<LinkAnswer<undefined>> {
    if (this.#inFlight >= this.#maxInFlight) await this.#room();
    return new Promise((resolve) => this.#send(image, undefined, resolve));
  }

  /**
   * Sends images as fast as the link takes them and gives their answers as they come (not necessarily in order). Reads
   * no further from `images` while `maxInFlight` are under way or answers are not taken. When the caller stops early,
   * images under way are still answered, but nobody sees it.
   */
  async *transmit<C>(images: AsyncIterable<{ image: LinkImage; context: C }>): AsyncGenerator<LinkAnswer<C>> {
    const answers: LinkAnswer<C>[] = [];
    let wake = () => {};
    let sending = true;
    let stopped = false;
    let failure: unknown;
    let open = 0;
    const changed = () => new Promise<void>((resolve) => (wake = resolve));
    const feed = async () => {
      for await (const { image, context } of images) {
        while (!stopped && open >= this.#maxInFlight) await this.#roomIn(() => open < this.#maxInFlight || stopped);
        if (stopped) return;
        open++;
        this.#send(image, context, (answer) => {
          answers.push(answer);
          wake();
        });
      }
    };
    const feeding = feed()
      .catch((error: unknown) => {
        failure = error;
      })
      .finally(() => {
        sending = false;
        wake();
      });
    try {
      while (sending || open > 0) {
        const answer = answers.shift();
        if (!answer) {
          await changed();
          continue;
        }
        open--;
        this.#signalRoom();
        yield answer;
      }
      if (failure) throw failure;
    } finally {
      stopped = true;
      this.#signalRoom();
      await feeding;
    }
  }

  /** Takes no more images; resolves when every one has been answered and the connection is closed. */
  async close(): Promise<void> {
    await this.#stream.close();
    this.#clients.close();
  }

  #send<C>(image: LinkImage, context: C, answered: (answer: LinkAnswer<C>) => void): void {
    const { linkId, modelVersion } = this.#options;
    const sequence = this.#sequence++;
    const startUnixNano = nowUnixNano();
    const root = this.#tracer.startRoot({ linkId, sequence, captureTimeUnixNano: startUnixNano });
    const frame = create(ImageFrameSchema, {
      header: create(FrameHeaderSchema, {
        linkId,
        sequence,
        captureTimeUnixNano: startUnixNano,
        traceparent: root?.traceparent ?? '',
        modelVersion: modelVersion ?? '',
        ...(image.label !== undefined && { trueLabel: image.label }),
      }),
      width: image.width,
      height: image.height,
      rgb: image.rgb,
    });
    this.#inFlight++;
    const sent: Sent<C> = { context, startUnixNano, root, label: image.label, answered };
    this.#stream.trySend(frame, sent as Sent<unknown>);
  }

  #answered(result: FrameResult, sent: Sent<unknown>, header: FrameHeader): void {
    const { context, startUnixNano, root, label, answered } = sent;
    const endUnixNano = nowUnixNano();
    this.#inFlight--;
    this.#signalRoom();
    if (result.outcome.case === 'error') this.#traceFailure(root, header, result.outcome.value, endUnixNano);
    else if (root) endRoot(root, result, label, endUnixNano);
    answered({ context, result, latencySeconds: Number(endUnixNano - startUnixNano) / 1e9 });
  }

  #traceFailure(root: FrameRoot | undefined, header: FrameHeader, error: FrameError, endUnixNano: bigint): void {
    const traceId = this.#failures.note(header, error);
    const attributes = { [ATTRIBUTES.errorCode]: error.code, [ATTRIBUTES.errorOrigin]: error.origin };
    const outcome = { endUnixNano, error: error.message, attributes };
    if (root) root.end(outcome);
    else if (traceId) this.#tracer.recordFailedRoot(header, traceId, outcome);
  }

  #room(): Promise<void> {
    return this.#roomIn(() => this.#inFlight < this.#maxInFlight);
  }

  async #roomIn(free: () => boolean): Promise<void> {
    while (!free()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #signalRoom(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #policyRequest(linkId: string, policy: RatePolicy): TransmitRequest {
    return create(TransmitRequestSchema, { policies: [policyMessage(linkId, policy)] });
  }
}

function streamMetadata(traces: boolean): Metadata {
  const metadata = new Metadata();
  if (traces) metadata.set(CLIENT_TRACES_KEY, '1');
  return metadata;
}

function endRoot(
  root: FrameRoot,
  { outcome, channelUses }: FrameResult,
  label: number | undefined,
  endUnixNano: bigint,
) {
  const answered = outcome.case === 'classification' ? outcome.value.label : undefined;
  root.end({
    endUnixNano,
    attributes: {
      [ATTRIBUTES.channelUses]: channelUses,
      ...(answered !== undefined && { [ATTRIBUTES.label]: answered }),
      ...(answered !== undefined && label !== undefined && { [ATTRIBUTES.correct]: label === answered }),
    },
  });
}
