import { setTimeout as sleep } from 'node:timers/promises';
import type { RatePolicy } from '../../shared/codec/rate-control.js';
import { formatHostPort } from '../../shared/config/index.js';
import { loadCifar10 } from '../../shared/data/cifar10.js';
import { ChannelEmulatorService } from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { PinnedClients } from '../../shared/rpc/pinned-clients.js';
import type { RunningService } from '../../shared/rpc/running-service.js';
import { clientTls } from '../../shared/rpc/tls.js';
import { type ServiceName, startTelemetry } from '../../shared/telemetry/index.js';
import type { ConsoleConfig } from './config.js';
import { startConsoleServer } from './http/http-server.js';
import {
  type ChannelChangeRequest,
  channelChangeRequest,
  policyRequest,
  type TrafficRequest,
  trafficRequest,
} from './http/requests.js';
import { loadStaticFiles } from './http/static-files.js';
import { LiveConsole } from './live-console.js';
import { LiveLink } from './live-link.js';
import { ServiceWatch } from './watch/service-watch.js';

/** How long what is under way has after SIGTERM, ms. */
const drainLimitMs = 8_000;
const telemetryLimitMs = 2_000;

/**
 * Starts a console in this process. It serves whether or not the link is there: what is down it shows as down.
 *
 * @throws Error with a sentence when an address is taken, or CIFAR-10 is not there
 */
export async function startConsole(config: ConsoleConfig): Promise<RunningService<'console'>> {
  const [images, files] = await Promise.all([loadCifar10('test'), loadStaticFiles()]);
  const telemetry = await startTelemetry({ service: 'console', config });
  const { logger } = telemetry;
  const { linkId, updateIntervalMs } = config;
  const emulator = new PinnedClients(ChannelEmulatorService, {
    role: 'channel-emulator',
    address: config.emulator,
    ...clientTls(config.tls),
  });
  const link = new LiveLink({
    transmitter: config.transmitter,
    tls: config.tls,
    emulator,
    linkId,
    rate: config.imageRate,
    traceSampleRatio: config.traceSampleRatio,
    symbolsPerSecond: 1e3 / updateIntervalMs,
    images,
  });
  const watch = (role: ServiceName, address: string) =>
    new ServiceWatch({
      role,
      address,
      linkId,
      ...config.watch,
      onState: ({ state, reason }) => logger.debug(`${role} is ${state}${reason && `: ${reason}`}`),
    });
  const live = new LiveConsole({
    link,
    watches: [
      watch('transmitter-encoder', config.watch.transmitter),
      watch('channel-emulator', config.watch.emulator),
      watch('receiver-decoder', config.watch.receiver),
    ],
    metrics: telemetry.metrics.console,
    updateIntervalMs,
    maxPages: config.maxPages,
  });
  telemetry.metrics.trackQueue('pages', () => live.waitingBytes);
  /** Whether all images that were under way had their answer in time. */
  const stop = async (): Promise<boolean> => {
    const clean = await Promise.race([live.close().then(() => true), sleep(drainLimitMs, false, { ref: false })]);
    emulator.close();
    await telemetry.stop(telemetryLimitMs);
    return clean;
  };
  const server = await startConsoleServer({
    listen: config.httpListen,
    allowHost: config.allowHost,
    files,
    events: (response) => live.open(response),
    actions: {
      '/api/channel': {
        schema: channelChangeRequest,
        run: (request: ChannelChangeRequest) => link.channel.change(request),
      },
      '/api/policy': {
        schema: policyRequest,
        run: (policy: RatePolicy) => {
          link.policy = policy;
        },
      },
      '/api/traffic': {
        schema: trafficRequest,
        run: ({ rate, paused }: TrafficRequest) => {
          if (rate !== undefined) link.traffic.rate = rate;
          if (paused !== undefined) link.paused = paused;
        },
      },
    },
    onInternalError: (error) => logger.error({ error }, 'a request failed'),
  }).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  let draining = false;
  telemetry.metrics.trackDraining(() => draining);
  telemetry.setReadiness(() => (draining ? { ready: false, reason: 'draining' } : { ready: true }));
  const { address } = server;
  const metricsAddress = telemetry.server && formatHostPort(telemetry.server);
  logger.info({ address, metrics: metricsAddress }, `console is serving at http://${address}`);
  return {
    role: 'console',
    address,
    adminAddress: undefined,
    metricsAddress,
    telemetry,
    async drain() {
      draining = true;
      // Pages are told to go first, so that their streams end by themselves.
      return (await Promise.all([stop(), server.close(drainLimitMs)])).every((clean) => clean);
    },
  };
}
