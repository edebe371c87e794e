import { z } from 'zod';
import { HOST_PORT_RANGE, hostPort } from '../config/address.js';
import { group, option } from '../config/option.js';
import { LOG_FORMATS, LOG_LEVELS } from './logger.js';

/** Collector and sampling, for services and for the client alike. */
export function traceGroup() {
  return group({
    otlpEndpoint: option(z.url().optional(), {
      description: 'Collector that gets the spans; unset: no tracing. The other standard OTEL_ variables apply too.',
      env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
      placeholder: 'URL',
      range: 'a URL such as http://localhost:4318',
    }),
    sampleRatio: option(z.number().min(0).max(1).default(0.01), {
      description: 'Share of frames that are traced, decided where a frame starts.',
    }),
  });
}

/** Level of the log on standard error. */
export function logLevelOption() {
  return option(z.enum(LOG_LEVELS).default('info'), {
    description: 'Least severe log lines written to standard error.',
  });
}

/** Form of the log; one variable for all services, since those of one machine are read together. */
export function logFormatOption() {
  return option(z.enum(LOG_FORMATS).default('auto'), {
    description: 'Form of the log: json, one object a line; text, for people; auto: text where it is a terminal.',
    env: 'SEMLINK_LOG_FORMAT',
  });
}

/**
 * Fields every service's configuration takes in by `...telemetryFields('127.0.0.1:9464')`.
 *
 * @param metricsListen default address of /metrics, /healthz and /readyz
 */
export function telemetryFields(metricsListen: string) {
  return {
    logLevel: logLevelOption(),
    telemetry: option(z.enum(['on', 'off']).default('on'), {
      description: 'off: frames are neither measured nor traced; the log, /healthz and /readyz stay.',
    }),
    logFormat: logFormatOption(),
    metrics: group({
      listen: option(z.union([z.literal('off'), hostPort()]).default(metricsListen), {
        description: 'Where to serve /metrics, /healthz and /readyz; off: nowhere.',
        placeholder: 'HOST:PORT|off',
        range: `off, or ${HOST_PORT_RANGE}`,
      }),
      linkLimit: option(z.int().min(0).max(10_000).default(100), {
        description: 'Links with metrics of their own; later links share the label "other".',
        unit: 'links',
      }),
    }),
    trace: group(serviceTraceFields()),
  };
}

/** What of its spans a service can be told. */
export function serviceTraceFields() {
  return {
    otlpEndpoint: traceGroup().shape.otlpEndpoint,
    failuresPerSecond: option(z.number().min(0).max(10_000).default(20), {
      description: 'Frames that fail here and are traced though they were not sampled, at most; 0: none.',
      unit: 'frames/s',
    }),
  };
}

/** Fields of a job's configuration: like a service's, but off unless asked for, since several may run on a machine. */
export function jobTelemetryFields() {
  return {
    metrics: group({
      listen: option(z.union([z.literal('off'), hostPort()]).default('off'), {
        description: 'Where to serve /metrics while the job runs; off: nowhere.',
        placeholder: 'HOST:PORT|off',
        range: `off, or ${HOST_PORT_RANGE}`,
      }),
    }),
  };
}
