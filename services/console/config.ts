import { z } from 'zod';
import { addressOption, type ConfigOf, defineConfig, group, option, targetOption } from '../../shared/config/index.js';
import { tlsFields } from '../../shared/rpc/tls.js';
import { telemetryFields } from '../../shared/telemetry/index.js';

/** Every option of the console. */
export const consoleConfig = defineConfig({
  name: 'console',
  description:
    'A web page of a running link: what goes in and comes out, the symbols before and after the air, and the means to ' +
    'change the channel and the policy. It sends images of its own while a page is open, and does nothing while none is.',
  fields: {
    httpListen: addressOption(
      '127.0.0.1:8088',
      'Where to serve the page. Whoever reaches it can change the channel of its link.',
    ),
    allowHost: option(z.array(z.string().regex(/^[A-Za-z0-9.-]+$/)).default([]), {
      description:
        'Names by which browsers may reach the page besides localhost and IP addresses, for example behind a proxy.',
      placeholder: 'NAME,...',
    }),
    ...telemetryFields('127.0.0.1:9470'),
    transmitter: targetOption('127.0.0.1:50051', 'Addresses of the transmitter-encoder, where images go.'),
    emulator: targetOption(
      '127.0.0.1:50052',
      'Addresses of the channel-emulator (its admin-listen where it has one); a change is made at all of them.',
    ),
    ...tlsFields(),
    watch: group({
      transmitter: addressOption('127.0.0.1:9464', 'Where the transmitter-encoder serves /metrics.'),
      emulator: addressOption('127.0.0.1:9465', 'Where the channel-emulator serves /metrics.'),
      receiver: addressOption('127.0.0.1:9466', 'Where the receiver-decoder serves /metrics.'),
      metricsIntervalMs: option(z.int().min(200).max(60_000).default(1_000), {
        description: 'How often metrics are read while a page is open.',
        unit: 'ms',
      }),
      probeIntervalMs: option(z.int().min(100).max(60_000).default(400), {
        description: 'How often each service is asked whether it is ready while a page is open.',
        unit: 'ms',
      }),
    }),
    linkId: option(
      z
        .string()
        .regex(/^[A-Za-z0-9._:-]{1,64}$/)
        .default('console'),
      { description: "Name of the console's own radio link." },
    ),
    imageRate: option(z.number().min(0.5).max(500).default(20), {
      description: 'Images sent while a page is open; the page can change it.',
      unit: 'images/s',
    }),
    traceSampleRatio: option(z.number().min(0).max(1).default(0.01), {
      description: "Share of the console's images that are traced; failed ones are in any case.",
    }),
    updateIntervalMs: option(z.int().min(50).max(200).default(150), {
      description: 'How often an open page is told what is new.',
      unit: 'ms',
    }),
    maxPages: option(z.int().min(1).max(1000).default(16), { description: 'Pages open at a time.', unit: 'pages' }),
  },
});

export type ConsoleConfig = ConfigOf<typeof consoleConfig>;
