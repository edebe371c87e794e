import { destination, type Logger, pino, stdSerializers, stdTimeFunctions } from 'pino';
import { semlinkVersion } from '../config/version.js';
import { LOG_FIELDS } from './names.js';
import { parseTraceparent } from './traceparent.js';

export type { Logger } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Anything that takes text; lines end in a newline. */
export interface LogStream {
  write(text: string): unknown;
}

export interface LoggerOptions {
  readonly service: string;
  /** Default `info`. */
  readonly level?: LogLevel;
  /** `json`: one object a line, for machines; `human`: for eyes; `auto` (default): human on a terminal. */
  readonly format?: 'auto' | 'json' | 'human';
  /** Default: standard error, written at once so that nothing is lost at an exit. */
  readonly stream?: LogStream;
}

/** Makes a service's logger. Field names are those of `LOG_FIELDS`; errors go in as `{ error }`. */
export function createLogger({ service, level = 'info', format = 'auto', stream }: LoggerOptions): Logger {
  const target: LogStream = stream ?? destination({ fd: 2, sync: true });
  const isHuman = format === 'human' || (format === 'auto' && stream === undefined && process.stderr.isTTY === true);
  return pino(
    {
      level,
      base: { [LOG_FIELDS.service]: service, [LOG_FIELDS.version]: semlinkVersion() },
      messageKey: LOG_FIELDS.message,
      errorKey: LOG_FIELDS.error,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ [LOG_FIELDS.level]: label }) },
      serializers: { [LOG_FIELDS.error]: stdSerializers.err },
    },
    isHuman ? { write: (line: string) => target.write(formatHuman(line)) } : target,
  );
}

/** Fields that tie a log line to a frame's trace; none when the frame is not sampled. */
export function traceFields(traceparent: string): Record<string, string> {
  const context = parseTraceparent(traceparent);
  return context ? { [LOG_FIELDS.traceId]: context.traceId, [LOG_FIELDS.spanId]: context.spanId } : {};
}

/** One JSON line as a line for eyes: `12:00:01.123 WARN  transmitter-encoder  message  key=value`. */
export function formatHuman(line: string): string {
  const { time, level, message, service, version, error, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice(11, 23);
  const pairs = Object.entries(rest).map(([key, value]) => {
    return `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`;
  });
  const head = [clock, String(level).toUpperCase().padEnd(5), service, message, ...pairs].filter(Boolean).join('  ');
  return `${head}\n${formatError(error)}`;
}

function formatError(error: unknown): string {
  if (error === undefined || error === null) return '';
  const { stack, message } = error as { readonly stack?: unknown; readonly message?: unknown };
  return `${String(stack ?? message ?? error).replace(/^/gm, '    ')}\n`;
}
