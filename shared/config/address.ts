import { z } from 'zod';
import { option } from './option.js';

/** Where to listen or connect: `host:port`, IPv6 hosts in brackets. */
export interface HostPort {
  readonly host: string;
  /** 0 to 65535; 0: any free port, for servers. */
  readonly port: number;
}

/** Words for the range of a `hostPort()` option. */
export const HOST_PORT_RANGE = 'host:port, port 0 to 65535 (0: any free port), IPv6 as [::1]:port';

/** Zod schema of a `host:port` string. */
export function hostPort(): z.ZodString {
  return z.string().refine((text) => tryParse(text) !== undefined, `expected ${HOST_PORT_RANGE}`);
}

/** A configuration option that holds an address. */
export function addressOption(defaultAddress: string, description: string): z.ZodDefault<z.ZodString> {
  return option(hostPort().default(defaultAddress), {
    description,
    placeholder: 'HOST:PORT',
    range: HOST_PORT_RANGE,
  });
}

/** Words for the range of a `targetOption`. */
export const TARGET_RANGE = 'host:port, or several with commas between; a name may have several addresses';

/** A configuration option that holds where to connect: links are spread over all addresses it stands for. */
export function targetOption(defaultAddress: string, description: string): z.ZodDefault<z.ZodString> {
  const target = z
    .string()
    .refine((text) => isTarget(text), `expected ${TARGET_RANGE}`)
    .default(defaultAddress);
  return option(target, { description, placeholder: 'HOST:PORT[,...]', range: TARGET_RANGE });
}

/** Whether a text is an address to connect to, or several. */
export function isTarget(text: string): boolean {
  return text.split(',').every((part) => (tryParse(part.trim())?.port ?? 0) > 0);
}

/**
 * Splits `host:port`.
 *
 * @throws RangeError when the text is no address
 */
export function parseHostPort(text: string): HostPort {
  const parsed = tryParse(text);
  if (!parsed) throw new RangeError(`${JSON.stringify(text)} is no address; expected ${HOST_PORT_RANGE}`);
  return parsed;
}

/** The inverse of `parseHostPort`. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function tryParse(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%\w+)?)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || port > 65535 ? undefined : { host, port };
}
