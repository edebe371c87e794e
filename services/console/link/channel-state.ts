import type { ChannelEmulatorService } from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import type { PinnedClients } from '../../../shared/rpc/pinned-clients.js';
import type { ChannelChangeRequest } from '../http/requests.js';
import { follow } from './follow.js';

/** What is set for the console's link at the emulator. */
export interface ChannelView {
  readonly model: string;
  readonly snrDb: number;
  /** Null: the model has none. */
  readonly dopplerHz: number | null;
  readonly feedbackDelayMs: number;
}

/**
 * The channel of the console's link: follows what is set, by whomever, and sets it. Other links are left alone.
 */
export class ChannelState {
  readonly #emulator: PinnedClients<typeof ChannelEmulatorService.method>;
  readonly #linkId: string;
  #view: ChannelView | undefined;
  #stop: (() => void) | undefined;

  constructor(emulator: PinnedClients<typeof ChannelEmulatorService.method>, linkId: string) {
    this.#emulator = emulator;
    this.#linkId = linkId;
  }

  /** Undefined while the emulator has not said. */
  get view(): ChannelView | undefined {
    return this.#view;
  }

  /**
   * Changes what is named.
   * @throws SemlinkError of the emulator, which refuses what is out of range, or is down
   */
  async change({ model, snrDb, dopplerHz, feedbackDelayMs }: ChannelChangeRequest): Promise<void> {
    const channel = {
      ...(model !== undefined && { model }),
      ...(snrDb !== undefined && { snrDb }),
      ...(dopplerHz !== undefined && { dopplerHz }),
    };
    const patch = JSON.stringify({
      ...(Object.keys(channel).length > 0 && { channel }),
      ...(feedbackDelayMs !== undefined && { feedback: { delayMs: feedbackDelayMs } }),
    });
    await this.#emulator.resolved();
    // At all addresses, for a link may move.
    await Promise.all(this.#emulator.all().map((client) => client.setChannel({ linkId: this.#linkId, patch })));
  }

  /** Follows what is set until `stop`. */
  start(): void {
    this.#stop ??= follow(
      () => this.#emulator.clientOf(this.#linkId)?.watchChannel({ linkId: this.#linkId }),
      ({ settings }) => {
        this.#view = channelView(settings) ?? this.#view;
      },
    );
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }
}

/** Settings in the words of scenario files; undefined when they are not what they should be. Exported for its test. */
export function channelView(settings: string): ChannelView | undefined {
  try {
    const { channel, feedback } = JSON.parse(settings) as {
      channel: { model: string; snrDb: number; dopplerHz?: number };
      feedback: { delayMs: number };
    };
    const { model, snrDb, dopplerHz } = channel;
    return { model, snrDb, dopplerHz: dopplerHz ?? null, feedbackDelayMs: feedback.delayMs };
  } catch {
    return undefined;
  }
}
