import { readFile } from 'node:fs/promises';
import { settingsFromOptions } from '../../shared/channel/channel-options.js';
import { semlinkVersion } from '../../shared/config/index.js';
import { ReceiverDecoderService } from '../../shared/gen/semlink/v1/receiver_decoder_pb.js';
import { Code, SemlinkError, toSemlinkError } from '../../shared/rpc/errors.js';
import { PinnedClients } from '../../shared/rpc/pinned-clients.js';
import { type RunningService, startService } from '../../shared/rpc/running-service.js';
import { hopOptions, streamAgeOptions, streamOptions } from '../../shared/rpc/server-config.js';
import { clientTls } from '../../shared/rpc/tls.js';
import { DelayQueue } from './air/delay-queue.js';
import type { ChannelEmulatorConfig } from './config.js';
import { ExternalChannels } from './external/external-channels.js';
import { FeedbackPath } from './feedback/feedback-path.js';
import { linkDefaults } from './link-options.js';
import { Links } from './links.js';
import { AirRecorder } from './recording/air-recorder.js';
import { Scenarios } from './scenario/scenarios.js';
import { controlService, emulatorService } from './service.js';
import { ROLE } from './symbol-path.js';
import { SymbolTaps } from './symbols/symbol-taps.js';

/**
 * Starts a channel-emulator in this process. It is ready whether or not the receiver-decoder is there: while it is not,
 * frames are answered UNAVAILABLE.
 *
 * @param options.processMetrics false for the second and later services of one process
 * @throws Error with a sentence when an address is taken
 */
export function startChannelEmulator(
  config: ChannelEmulatorConfig,
  options: { processMetrics?: boolean } = {},
): Promise<RunningService> {
  return startService({
    role: ROLE,
    config,
    ...options,
    parts: async ({ telemetry, drains }) => {
      const defaults = linkDefaults(config);
      const defaultChannel = await settingsFromOptions(config.channel, defaults.air.symbolRateHz);
      const externals = new ExternalChannels((sentence) => telemetry.logger.info(sentence));
      telemetry.metrics.trackQueue('external', () => externals.queuedBytes);
      const { maxLinks } = config;
      const links = new Links({ seed: BigInt(config.seed), defaultChannel, defaults, maxLinks, externals });
      const queue = new DelayQueue();
      const { channel: metrics } = telemetry.metrics;
      const feedback = new FeedbackPath({
        settingsOf: (linkId) => links.settingsOf(linkId).feedback,
        randomOf: (linkId) => links.randomOf(linkId),
        queue,
        onFate: (fate) => metrics.countFeedback(fate),
      });
      const scenarios = new Scenarios(links, ({ name, state, detail, stepsDone }) => {
        telemetry.logger.info({ scenario: name, steps: stepsDone, detail }, `scenario ${state}`);
      });
      links.onChange((_, change) => metrics.countChange(change));
      metrics.track({ links: () => links.size, scenarios: () => scenarios.size, held: () => queue.size });
      const receiver = new PinnedClients(ReceiverDecoderService, {
        role: 'receiver-decoder',
        address: config.receiver,
        connectAhead: true,
        ...clientTls(config.tls),
        maxMessageBytes: config.rpc.maxMessageBytes,
      });
      const recorder = recorderOf(config, links.seed, defaults.air.symbolRateHz, (sentence) =>
        telemetry.logger.warn(sentence),
      );
      const stop = async () => {
        scenarios.close();
        queue.close();
        externals.close();
        await recorder?.close();
        receiver.close();
      };
      if (config.scenario !== '') await runFile(scenarios, config.scenario, stop);
      const control = { links, scenarios, telemetry, drains, taps: new SymbolTaps() };
      const admin = config.adminListen === 'off' ? undefined : config.adminListen;
      const service = emulatorService({
        ...control,
        receiver,
        queue,
        feedback,
        recorder,
        controlElsewhere: admin !== undefined,
        stream: { ...streamOptions(config), ...streamAgeOptions(config) },
        hop: hopOptions(config),
      });
      return {
        services: [service],
        ...(admin !== undefined && { admin: { listen: admin, services: [controlService(control)] } }),
        stop,
      };
    },
  });
}

/** Undefined when nothing is to be recorded. */
function recorderOf(
  config: ChannelEmulatorConfig,
  seed: bigint,
  sampleRateHz: number,
  onState: (sentence: string) => void,
): AirRecorder | undefined {
  if (config.record.folder === '') return undefined;
  return new AirRecorder({ ...config.record, seed, sampleRateHz, version: semlinkVersion(), onState });
}

/** Starts a scenario file. @throws SemlinkError with the file's name; after `stop`, for nothing must stay open then */
async function runFile(scenarios: Scenarios, file: string, stop: () => Promise<void>): Promise<void> {
  try {
    scenarios.run(await readFile(file, 'utf8'), () => {});
  } catch (error) {
    await stop();
    const { code, message } = toSemlinkError(error);
    throw new SemlinkError(code, `${file}: ${code === Code.INTERNAL ? (error as Error).message : message}`, {
      cause: error,
    });
  }
}
