import { type LinkAnswer, SemanticLink } from '../../shared/client/index.js';
import type { RatePolicy } from '../../shared/codec/rate-control.js';
import type { Cifar10Images } from '../../shared/data/cifar10.js';
import type { ChannelEmulatorService } from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import type { ModelInfo } from '../../shared/gen/semlink/v1/transmitter_encoder_pb.js';
import { codeName } from '../../shared/rpc/errors.js';
import type { PinnedClients } from '../../shared/rpc/pinned-clients.js';
import type { TlsConfig } from '../../shared/rpc/tls.js';
import { Answers } from './link/answers.js';
import { ChannelState } from './link/channel-state.js';
import { ErrorList } from './link/error-list.js';
import { SymbolFeed } from './link/symbol-feed.js';
import { Traffic, type TrafficImage } from './link/traffic.js';

export interface LiveLinkOptions {
  transmitter: string;
  tls: TlsConfig;
  emulator: PinnedClients<typeof ChannelEmulatorService.method>;
  linkId: string;
  /** Images a second to begin with. */
  rate: number;
  traceSampleRatio: number;
  /** Samples of symbols a second. */
  symbolsPerSecond: number;
  images: Cifar10Images;
}

/** An image without an answer for so long has failed; a link in real time on a slow air takes seconds. */
const timeoutMs = 10_000;
const reconnectWaitMs = 1_000;
const modelRetryMs = 2_000;

/** The console's own link: sends images, keeps what comes back, follows its channel and its symbols. */
export class LiveLink {
  readonly answers = new Answers();
  readonly errors = new ErrorList();
  readonly channel: ChannelState;
  readonly symbols: SymbolFeed;
  readonly traffic: Traffic;
  readonly #link: SemanticLink;
  readonly #images: Cifar10Images;
  #policy: RatePolicy = { kind: 'target-accuracy', accuracy: 0.85 };
  #model: ModelInfo | undefined;
  #modelTimer: NodeJS.Timeout | undefined;
  #paused = false;
  #active = false;
  #momentarySnrDb: number | null = null;
  /** Of answers since `takeChannelUses`. */
  #uses = { sum: 0, count: 0 };

  constructor(options: LiveLinkOptions) {
    const { linkId, emulator, images } = options;
    this.#images = images;
    this.channel = new ChannelState(emulator, linkId);
    this.symbols = new SymbolFeed(emulator, { linkId, framesPerSecond: options.symbolsPerSecond });
    this.#link = new SemanticLink({
      address: options.transmitter,
      tls: options.tls,
      linkId,
      policy: this.#policy,
      timeoutMs,
      reconnectWaitMs,
      traceSampleRatio: options.traceSampleRatio,
      onFeedback: (reports) => {
        this.#momentarySnrDb = reports.at(-1)?.instantaneousSnrDb ?? this.#momentarySnrDb;
      },
    });
    this.traffic = new Traffic({
      imageAt: (index) => this.#imageAt(index),
      count: images.count,
      rate: options.rate,
      send: (image) => this.#link.classify(image),
      onAnswer: (image, answer) => this.#answered(image, answer),
    });
  }

  /** How the transmitter encodes; undefined while it has not said. */
  get model(): ModelInfo | undefined {
    return this.#model;
  }

  get policy(): RatePolicy {
    return this.#policy;
  }

  set policy(policy: RatePolicy) {
    this.#policy = policy;
    this.#link.setPolicy(policy);
  }

  get paused(): boolean {
    return this.#paused;
  }

  set paused(paused: boolean) {
    this.#paused = paused;
    this.#run();
  }

  /** What the receiver fed back last, dB; null: nothing yet. */
  get momentarySnrDb(): number | null {
    return this.#momentarySnrDb;
  }

  /** Red, green and blue of each pixel of an image, row by row. */
  pixelsOf(index: number): Uint8Array {
    const bytes = this.#images.width * this.#images.height * 3;
    return this.#images.images.subarray(index * bytes, (index + 1) * bytes);
  }

  /** Mean k of the answers since the last call; null: there were none. */
  takeChannelUses(): number | null {
    const { sum, count } = this.#uses;
    this.#uses = { sum: 0, count: 0 };
    return count > 0 ? sum / count : null;
  }

  /** A page is open: sends images unless paused, and follows the air. */
  start(): void {
    this.#active = true;
    this.channel.start();
    this.symbols.start();
    void this.#askModel();
    this.#run();
  }

  /** No page is open: does nothing. */
  stop(): void {
    this.#active = false;
    clearTimeout(this.#modelTimer);
    this.channel.stop();
    this.symbols.stop();
    this.#momentarySnrDb = null;
    this.#run();
    this.answers.clear();
  }

  /** Waits for the answers of what is under way, and lets go of the connection. */
  async close(): Promise<void> {
    this.stop();
    await this.traffic.settled();
    await this.#link.close();
  }

  #run(): void {
    if (this.#active && !this.#paused) this.traffic.start();
    else this.traffic.stop();
  }

  async #askModel(): Promise<void> {
    try {
      const models = await this.#link.listModels(modelRetryMs);
      this.#model = models.find((one) => one.default) ?? models[0];
    } catch {
      // The transmitter is down, which the page shows.
    }
    if (!this.#model && this.#active) {
      clearTimeout(this.#modelTimer);
      this.#modelTimer = setTimeout(() => void this.#askModel(), modelRetryMs);
    }
  }

  #imageAt(index: number): TrafficImage {
    const { labels, width, height } = this.#images;
    return { index, label: labels[index]!, rgb: this.pixelsOf(index), width, height };
  }

  #answered(image: TrafficImage, { result, latencySeconds }: LinkAnswer<unknown>): void {
    const { outcome, channelUses, payloadBytes, snrDb } = result;
    const classified = outcome.case === 'classification' ? outcome.value : undefined;
    if (channelUses > 0) this.#uses = { sum: this.#uses.sum + channelUses, count: this.#uses.count + 1 };
    const sequence = Number(result.sequence);
    this.answers.add({
      sequence,
      index: image.index,
      trueLabel: image.label,
      label: classified?.label,
      confidence: classified?.confidence ?? 0,
      channelUses,
      payloadBytes,
      snrDb,
      latencySeconds,
    });
    if (outcome.case !== 'error') return;
    const { code, origin, message, traceId } = outcome.value;
    this.errors.add({ atMs: Date.now(), sequence, code: codeName(code), origin, message, traceId });
  }
}
