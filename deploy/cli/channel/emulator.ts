import { z } from 'zod';
import { addressOption, option } from '../../../shared/config/index.js';
import { ChannelEmulatorService } from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { createRpcClient, type RpcClient } from '../../../shared/rpc/client.js';

export type EmulatorClient = RpcClient<typeof ChannelEmulatorService.method>;

/** Options by which an action finds the emulator. */
export const emulatorFields = {
  emulator: addressOption('127.0.0.1:50052', 'Address of the channel-emulator: its admin-listen where it has one.'),
};

/** `--link`, empty for the default of all links. */
export const linkField = option(z.string().default(''), {
  description: 'Name of the link; empty: the default of every link that has no settings of its own.',
});

/** Connects, does something and closes. */
export async function withEmulator<T>(address: string, use: (client: EmulatorClient) => Promise<T>): Promise<T> {
  const client = createRpcClient(ChannelEmulatorService, { address, maxMessageBytes: 64 * 1024 * 1024 });
  try {
    await client.waitForReady(5_000);
    return await use(client);
  } finally {
    client.close();
  }
}

/** How people call the thing with this id. */
export function linkName(linkId: string): string {
  return linkId === '' ? 'default' : linkId;
}
