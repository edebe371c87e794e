/** Certificates for tests, made by openssl. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const openssl = (...args: string[]) => run('openssl', args);
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export interface Identity {
  cert: string;
  key: string;
}

export class Authority {
  readonly ca: string;
  readonly #folder: string;
  readonly #key: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.ca = path.join(folder, 'ca.crt');
    this.#key = path.join(folder, 'ca.key');
  }

  static async make(folder: string, name: string): Promise<Authority> {
    const authority = new Authority(folder);
    await openssl(
      'req',
      '-x509',
      ...EC,
      '-keyout',
      authority.#key,
      '-out',
      authority.ca,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    );
    return authority;
  }

  /** Certificate and key for DNS names, in files of this name; those that were there are replaced. */
  async issue(file: string, dnsNames: string | string[]): Promise<Identity> {
    const [cert, key] = [path.join(this.#folder, `${file}.crt`), path.join(this.#folder, `${file}.key`)];
    const request = path.join(this.#folder, `${file}.csr`);
    const extensions = path.join(this.#folder, `${file}.ext`);
    const names = [dnsNames].flat();
    await writeFile(extensions, `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}\n`);
    await openssl('req', ...EC, '-keyout', key, '-out', request, '-subj', '/CN=semlink');
    const signer = ['-CA', this.ca, '-CAkey', this.#key, '-CAcreateserial'];
    await openssl('x509', '-req', '-in', request, '-out', cert, ...signer, '-days', '1', '-extfile', extensions);
    return { cert, key };
  }
}
