import { z } from 'zod';
import { option, targetOption } from '../../../shared/config/index.js';
import { ChannelEmulatorService } from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import type { RpcClient } from '../../../shared/rpc/client.js';
import { SemlinkError, toSemlinkError } from '../../../shared/rpc/errors.js';
import { PinnedClients } from '../../../shared/rpc/pinned-clients.js';
import { clientTls, type TlsConfig, tlsFields } from '../../../shared/rpc/tls.js';

export type EmulatorClient = RpcClient<typeof ChannelEmulatorService.method>;

/** Options by which an action finds the emulator. */
export const emulatorFields = {
  emulator: targetOption(
    '127.0.0.1:50052',
    'Addresses of the channel-emulator, all of its workers and replicas: their admin-listen where they have one.',
  ),
  ...tlsFields(),
};

/** `--link`, empty for the default of all links. */
export const linkField = option(z.string().default(''), {
  description: 'Name of the link; empty: the default of every link that has no settings of its own.',
});

/** How people call the thing with this id. */
export function linkName(linkId: string): string {
  return linkId === '' ? 'default' : linkId;
}

/**
 * The processes of one channel-emulator. Settings belong to all of them, for a link moves to another when its own goes
 * away; a link's position only to the one that carries its frames.
 */
export class Emulators {
  readonly clients: readonly EmulatorClient[];

  constructor(clients: readonly EmulatorClient[]) {
    this.clients = clients;
  }

  /**
   * The same call at every address.
   * @throws SemlinkError the first failure, with the number of addresses at which the call was done all the same
   */
  async onAll<T>(call: (client: EmulatorClient) => Promise<T>): Promise<T[]> {
    const outcomes = await Promise.allSettled(this.clients.map(call));
    const done = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (!failed) return done;
    const { code, message } = toSemlinkError(failed.reason);
    if (done.length === 0) throw failed.reason;
    throw new SemlinkError(code, `${message} (done at ${done.length} of ${outcomes.length} addresses)`);
  }

  /** The process that carries a link: where it has come furthest; the first where it has not been anywhere. */
  async carrying(linkId: string): Promise<EmulatorClient> {
    if (linkId === '' || this.clients.length === 1) return this.clients[0]!;
    const positions = await this.onAll(async (client) => (await client.getChannel({ linkId })).position);
    let furthest = 0;
    for (const [i, position] of positions.entries()) if (position > positions[furthest]!) furthest = i;
    return this.clients[furthest]!;
  }
}

/** Connects to every address of a target, does something and closes. */
export async function withEmulators<T>(
  { emulator, tls }: { emulator: string; tls?: TlsConfig },
  use: (emulators: Emulators) => Promise<T>,
): Promise<T> {
  // A pool for what it knows of names: every address of them, and what each is called in its certificate.
  const pool = new PinnedClients(ChannelEmulatorService, {
    role: 'channel-emulator',
    address: emulator,
    refreshMs: 0,
    maxMessageBytes: 64 * 1024 * 1024,
    ...(tls && clientTls(tls)),
  });
  try {
    await pool.resolved();
    const clients = pool.all();
    await Promise.all(clients.map((client) => client.waitForReady(5_000)));
    return await use(new Emulators(clients));
  } finally {
    pool.close();
  }
}
