/** TLS of servers and clients, from certificate files that may be renewed while a process runs. */
import { existsSync } from 'node:fs';
import { type ChannelCredentials, experimental, type ServerCredentials } from '@grpc/grpc-js';
import { z } from 'zod';
import { group, option } from '../config/index.js';
import { invalidArgument } from './errors.js';

/** The part of a configuration that `tlsFields` declares. */
export interface TlsConfig {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface ServerTlsConfig extends TlsConfig {
  readonly clientAuth: boolean;
}

const file = (description: string) => option(z.string().default(''), { description, placeholder: 'FILE' });

const clientShape = {
  cert: file('Certificate (PEM) that this process shows of itself; needs --tls-key.'),
  key: file('Private key (PEM) of --tls-cert.'),
  ca: file('Certificates (PEM) of the authority that peers are checked by; with it, connections are made by TLS.'),
};

/** Field of whoever calls a service. */
export function tlsFields() {
  return { tls: group(clientShape) };
}

/** Field of a service: it serves by TLS where it has a certificate, and calls the next one by TLS where it has an authority. */
export function serverTlsFields() {
  const clientAuth = option(z.boolean().default(false), {
    description: 'Serves only callers that show a certificate of the authority in --tls-ca.',
  });
  return { tls: group({ ...clientShape, clientAuth }) };
}

/** How soon a renewed file is seen, ms. */
const REFRESH_MS = 10_000;

/**
 * @returns once the files have been read, for until then grpc-js drops whoever connects; undefined: plain text
 * @throws SemlinkError INVALID_ARGUMENT when files are missing, cannot be read or do not belong together
 */
export async function serverCredentials(tls: ServerTlsConfig): Promise<ServerCredentials | undefined> {
  checkFiles(tls);
  if (tls.clientAuth && !(tls.ca && tls.cert)) {
    throw invalidArgument(
      '--tls-client-auth',
      true,
      'give --tls-cert and --tls-key, and callers are checked by --tls-ca',
    );
  }
  if (!tls.cert) return undefined;
  const files = providerOf(tls);
  if (!(await readOnce(files))) throw invalidArgument('--tls-cert', tls.cert, 'it or its key cannot be read');
  // The first takes the server's own certificate, the second the authority of its callers, whatever grpc-js calls them.
  return experimental.createCertificateProviderServerCredentials(files, tls.clientAuth ? files : null, tls.clientAuth);
}

/**
 * @returns undefined: plain text
 * @throws SemlinkError INVALID_ARGUMENT when files are missing or do not belong together
 */
export function clientCredentials(tls: TlsConfig): ChannelCredentials | undefined {
  checkFiles(tls);
  if (!tls.ca) return undefined;
  const files = providerOf(tls);
  return experimental.createCertificateProviderChannelCredentials(files, tls.cert ? files : null);
}

/** What `createRpcClient` and `PinnedClients` take of a configuration. */
export function clientTls(tls: TlsConfig): { credentials?: ChannelCredentials } {
  const credentials = clientCredentials(tls);
  return credentials ? { credentials } : {};
}

function providerOf({ cert, key, ca }: TlsConfig): experimental.FileWatcherCertificateProvider {
  return new experimental.FileWatcherCertificateProvider({
    ...(cert && { certificateFile: cert, privateKeyFile: key }),
    ...(ca && { caCertificateFile: ca }),
    refreshIntervalMs: REFRESH_MS,
  });
}

/** Waits for the first look at the files, which is kept for who asks next; false: they cannot be read. */
function readOnce(files: experimental.FileWatcherCertificateProvider): Promise<boolean> {
  return new Promise((resolve) => {
    const listener = (update: unknown): void => {
      // What reads them tells its other listeners after this one.
      setImmediate(() => files.removeIdentityCertificateListener(listener));
      resolve(update !== null);
    };
    files.addIdentityCertificateListener(listener);
  });
}

function checkFiles({ cert, key, ca }: TlsConfig): void {
  if (Boolean(cert) !== Boolean(key)) {
    throw invalidArgument(cert ? '--tls-key' : '--tls-cert', '', '--tls-cert and --tls-key go together');
  }
  for (const [flag, path] of Object.entries({ '--tls-cert': cert, '--tls-key': key, '--tls-ca': ca })) {
    if (path && !existsSync(path)) throw invalidArgument(flag, path, 'there is no such file');
  }
}
