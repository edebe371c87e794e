import { describe, expect, test } from 'vitest';
import { createLogger, type LoggerOptions } from './logger.js';

function capture(options: Omit<LoggerOptions, 'service' | 'stream'>): {
  lines: string[];
  logger: ReturnType<typeof createLogger>;
} {
  const lines: string[] = [];
  const stream = { write: (text: string) => lines.push(text) };
  return { lines, logger: createLogger({ service: 'channel-emulator', stream, ...options }) };
}

describe('a log line', () => {
  test('is one JSON object with named fields', () => {
    const { lines, logger } = capture({});
    logger.warn({ link: 'a', error: new Error('made up'), trace_id: 'a'.repeat(32) }, 'could not send');
    expect(lines).toHaveLength(1);
    const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    expect(line).toMatchObject({
      level: 'warn',
      service: 'channel-emulator',
      message: 'could not send',
      link: 'a',
      trace_id: 'a'.repeat(32),
      error: { message: 'made up' },
    });
    expect(Date.parse(String(line.time))).toBeGreaterThan(0);
  });

  test('below the level is not written', () => {
    const { lines, logger } = capture({ level: 'error' });
    logger.warn('x');
    logger.error('y');
    expect(lines).toHaveLength(1);
  });

  test('is readable for people who ask for it, with the stack of an error', () => {
    const { lines, logger } = capture({ format: 'text' });
    logger.info({ links: 1, address: 'a:1' }, 'listening');
    logger.error({ error: new Error('made up') }, 'failed');
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} {2}INFO {3}channel-emulator {2}listening {2}links=1 {2}address=a:1\n$/,
    );
    expect(lines[1]).toMatch(/ERROR {2}channel-emulator {2}failed\n {4}Error: made up\n {8}at /);
  });
});
