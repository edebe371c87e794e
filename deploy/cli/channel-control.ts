import { messageOf } from '../../services/channel-emulator/channel-messages.js';
import type { ChannelSettings } from '../../shared/channel/channel-config.js';
import { ChannelEmulatorService } from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { PinnedClients } from '../../shared/rpc/pinned-clients.js';
import { clientTls, type TlsConfig } from '../../shared/rpc/tls.js';

/** Sets the channel of links at a running channel-emulator: at all of its addresses, for a link may move. */
export class ChannelControl {
  readonly #clients;

  /** @param address of the channel-emulator: `host:port`, several with commas between, or a name */
  constructor(address: string, tls?: TlsConfig) {
    this.#clients = new PinnedClients(ChannelEmulatorService, {
      role: 'channel-emulator',
      address,
      ...(tls && clientTls(tls)),
    });
  }

  /** @throws SemlinkError UNAVAILABLE when the emulator is down, INVALID_ARGUMENT when it refuses the settings */
  async set(linkId: string, settings: ChannelSettings): Promise<void> {
    await this.#clients.resolved();
    const channel = messageOf(settings);
    await Promise.all(this.#clients.all().map((client) => client.setChannel({ linkId, channel })));
  }

  /** Seed of the emulator's channels; null when no emulator answers there. */
  async seed(linkId: string): Promise<number | null> {
    try {
      await this.#clients.resolved();
      return Number((await this.#clients.clientOf(linkId)!.getChannel({ linkId })).seed);
    } catch {
      return null;
    }
  }

  close(): void {
    this.#clients.close();
  }
}
