import { expect, test } from 'vitest';
import { defineConfig, loadConfig } from '../config/index.js';
import { telemetryFields } from './fields.js';
import { createLogger } from './logger.js';
import { SPANS } from './names.js';
import { startTelemetry } from './telemetry.js';

const definition = defineConfig({
  name: 'channel-emulator',
  description: 'For this test.',
  fields: { ...telemetryFields('127.0.0.1:9464') },
});

function configure(argv: readonly string[], env = {}) {
  const { config } = loadConfig(definition, { argv, env });
  if (!config) throw new Error('help instead of values');
  return config;
}

test('the fields are flags, standard variables and sentences', () => {
  expect(configure([]).metrics).toEqual({ listen: '127.0.0.1:9464', linkLimit: 100 });
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
  expect(configure([], env).trace.otlpEndpoint).toBe('http://collector:4318');
  expect(configure(['--metrics-listen', 'off']).metrics.listen).toBe('off');
  expect(() => configure(['--metrics-listen', 'here'])).toThrow('expected off, or host:port');
  expect(() => configure(['--trace-otlp-endpoint', 'collector'])).toThrow('expected a URL such as');
  expect(() => configure(['--log-level', 'loud'])).toThrow('one of trace, debug, info');
});

test('a service starts everything it reports with, becomes ready, and stops', async () => {
  const telemetry = await startTelemetry({
    service: 'channel-emulator',
    config: configure(['--metrics-listen', '127.0.0.1:0']),
    logger: createLogger({ service: 'channel-emulator', level: 'silent' }),
    processMetrics: false,
  });
  const url = telemetry.server?.url ?? '';
  expect((await fetch(`${url}/readyz`)).status).toBe(503);
  telemetry.setReadiness(() => ({ ready: true }));
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect(await (await fetch(`${url}/metrics`)).text()).toContain('semlink_ready 1');
  await telemetry.stop(100);
  await expect(fetch(`${url}/readyz`)).rejects.toThrow();
});

test('metrics can be off', async () => {
  const telemetry = await startTelemetry({
    service: 'channel-emulator',
    config: configure(['--metrics-listen', 'off', '--log-level', 'silent']),
    processMetrics: false,
  });
  expect(telemetry.server).toBeUndefined();
  await telemetry.stop(100);
});

test('telemetry can be off: health stays, nothing is measured or traced, whatever the environment says', async () => {
  const telemetry = await startTelemetry({
    service: 'receiver-decoder',
    config: configure(['--telemetry', 'off', '--metrics-listen', '127.0.0.1:0', '--log-level', 'silent'], {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    }),
  });
  try {
    telemetry.setReadiness(() => ({ ready: true }));
    const url = telemetry.server?.url ?? '';
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const types = (await (await fetch(`${url}/metrics`)).text()).match(/^# TYPE \S+/gm);
    expect(types).toEqual(['# TYPE semlink_ready', '# TYPE semlink_build_info']);
    expect(telemetry.metrics.enabled).toBe(false);
    const sampled = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    // Nothing records, so the context of the frame is what goes on.
    expect(telemetry.tracer.recordSpan(SPANS.decode, sampled, 1n, 2n)).toBe(sampled);
  } finally {
    await telemetry.stop(100);
  }
});
