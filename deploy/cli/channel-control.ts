import { messageOf } from '../../services/channel-emulator/channel-messages.js';
import type { ChannelSettings } from '../../shared/channel/channel-config.js';
import { ChannelEmulatorService } from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { createRpcClient } from '../../shared/rpc/client.js';

/** Sets the channel of links at a running channel-emulator. */
export class ChannelControl {
  readonly #client;

  /** @param address `host:port` of the channel-emulator */
  constructor(address: string) {
    this.#client = createRpcClient(ChannelEmulatorService, { address });
  }

  /** @throws SemlinkError UNAVAILABLE when the emulator is down, INVALID_ARGUMENT when it refuses the settings */
  async set(linkId: string, settings: ChannelSettings): Promise<void> {
    const channel = messageOf(settings);
    await this.#client.setChannel({ linkId, channel });
  }

  /** Seed of the emulator's channels; null when no emulator answers there. */
  async seed(linkId: string): Promise<number | null> {
    try {
      return Number((await this.#client.getChannel({ linkId })).seed);
    } catch {
      return null;
    }
  }

  close(): void {
    this.#client.close();
  }
}
