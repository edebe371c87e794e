import type { z } from 'zod';
import { channelEmulatorConfig } from '../../services/channel-emulator/config.js';
import { startChannelEmulator } from '../../services/channel-emulator/start.js';
import { receiverConfig } from '../../services/receiver-decoder/config.js';
import { startReceiverDecoder } from '../../services/receiver-decoder/start.js';
import { transmitterConfig } from '../../services/transmitter-encoder/config.js';
import { startTransmitterEncoder } from '../../services/transmitter-encoder/start.js';
import { type ConfigDefinition, loadConfig } from '../../shared/config/index.js';
import type { RunningService } from '../../shared/rpc/running-service.js';
import type { LocalLink, Overrides } from './local-link.js';

/**
 * Starts the three services of a link in this process, still over gRPC on loopback: what is tried is what is deployed.
 * Each reads its own environment variables; `overrides` beat them.
 */
export async function startEmbedded(overrides: Overrides = {}): Promise<LocalLink> {
  const running: RunningService[] = [];
  const stop = async () => {
    let clean = true;
    for (const service of [...running].reverse()) clean = (await service.drain()) && clean;
    return clean;
  };
  const start = async <F extends z.ZodRawShape>(
    definition: ConfigDefinition<F>,
    values: Record<string, unknown>,
    begin: (
      config: z.output<z.ZodObject<F, z.core.$strict>>,
      options: { processMetrics: boolean },
    ) => Promise<RunningService>,
  ): Promise<RunningService> => {
    const { config } = loadConfig(definition, { env: process.env, overrides: values });
    if (!config) throw new Error(`${definition.name}: no configuration`);
    if ('workers' in config && Number(config.workers) > 1) {
      throw new Error(
        `${definition.name}: workers is ${config.workers}, but they need processes of their own; use --processes`,
      );
    }
    // The process's own metrics (CPU, memory) are served once, by the first.
    const service = await begin(config, { processMetrics: running.length === 0 });
    running.push(service);
    return service;
  };
  try {
    // From the far end, so that each finds its next hop.
    const receiver = await start(receiverConfig, overrides['receiver-decoder'] ?? {}, startReceiverDecoder);
    const channel = await start(
      channelEmulatorConfig,
      { receiver: receiver.address, ...overrides['channel-emulator'] },
      startChannelEmulator,
    );
    const transmitter = await start(
      transmitterConfig,
      { channel: channel.address, ...overrides['transmitter-encoder'] },
      startTransmitterEncoder,
    );
    return {
      services: { 'transmitter-encoder': transmitter, 'channel-emulator': channel, 'receiver-decoder': receiver },
      failed: new Promise(() => {}),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
