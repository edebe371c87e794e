import { destination, pino, stdSerializers, stdTimeFunctions } from 'pino';
import { semlinkVersion } from '../config/version.js';
import { LOG_FIELDS, type LogField } from './names.js';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `json`: one object a line, for machines; `text`: for eyes; `auto`: text on a terminal. */
export const LOG_FORMATS = ['auto', 'json', 'text'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** What a log line may hold besides its message: fields of the schema, so that the compiler refuses others. */
export type LogFields = { readonly [Field in LogField]?: unknown };

interface LogLine {
  (fields: LogFields, message: string): void;
  (message: string): void;
}

/** A logger whose fields are those of `LOG_FIELDS`. A pino one is. */
export interface Logger {
  readonly trace: LogLine;
  readonly debug: LogLine;
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
  readonly fatal: LogLine;
  isLevelEnabled(level: LogLevel): boolean;
}

/** Anything that takes text; lines end in a newline. */
export interface LogStream {
  write(text: string): unknown;
}

export interface LoggerOptions {
  readonly service: string;
  /** Default `info`. */
  readonly level?: LogLevel;
  /** Default `auto`. */
  readonly format?: LogFormat;
  /** Default: standard error, written at once so that nothing is lost at an exit. */
  readonly stream?: LogStream;
}

/** Makes a service's logger. Field names are those of `LOG_FIELDS`; errors go in as `{ error }`. */
export function createLogger({ service, level = 'info', format = 'auto', stream }: LoggerOptions): Logger {
  const target: LogStream = stream ?? destination({ fd: 2, sync: true });
  const isText = format === 'text' || (format === 'auto' && stream === undefined && process.stderr.isTTY === true);
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
    isText ? { write: (line: string) => target.write(formatText(line)) } : target,
  );
}

/** One JSON line as a line for eyes: `12:00:01.123 WARN  transmitter-encoder  message  key=value`. */
export function formatText(line: string): string {
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
