import { isIP } from 'node:net';
import { HttpError } from './http-error.js';

/** Largest body that is read, bytes. */
export const mostBodyBytes = 4096;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Refuses names of this server that are not its own: a foreign site whose name was pointed at this address would count as
 * the same origin. IP addresses and localhost cannot be pointed elsewhere.
 *
 * @param allowed names besides
 * @throws HttpError 421
 */
export function checkHost({ host = '' }: Headers & { host?: string | undefined }, allowed: readonly string[]): void {
  const name = host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  const own = isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost');
  if (own || allowed.some((one) => one.toLowerCase() === name)) return;
  throw new HttpError(
    421,
    `The console does not answer to the name "${name.slice(0, 80)}"; start it with --allow-host ${name.slice(0, 80)}.`,
  );
}

/**
 * Lets a POST in only from the console's own page: another site may send a visitor's browser here, but it cannot leave
 * out the origin, nor send JSON without asking first.
 *
 * @throws HttpError 403, 413 or 415
 */
export function checkPost(headers: Headers): void {
  const { host, origin } = headers;
  const site = headers['sec-fetch-site'];
  const same = typeof origin === 'string' && originHost(origin) === host;
  if (!same || (site !== undefined && site !== 'same-origin')) {
    throw new HttpError(403, 'Only the page of the console itself may change things here (same origin).');
  }
  if (!/^application\/json(;|$)/i.test(String(headers['content-type'] ?? ''))) {
    throw new HttpError(415, 'Send JSON, with content-type application/json.');
  }
  if (Number(headers['content-length'] ?? 0) > mostBodyBytes) throw tooLarge();
}

/** @throws HttpError 413 when there is more, 400 when it is not JSON */
export async function readJson(body: AsyncIterable<Buffer | string>): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    const buffer = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    bytes += buffer.length;
    if (bytes > mostBodyBytes) throw tooLarge();
    chunks.push(buffer);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new HttpError(400, 'The body is not JSON.');
  }
}

function tooLarge(): HttpError {
  return new HttpError(413, `The body is over ${mostBodyBytes} bytes.`);
}

function originHost(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}
