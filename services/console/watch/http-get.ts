import { Agent, get } from 'node:http';

/** What a GET brought. */
export interface HttpReply {
  readonly status: number;
  readonly body: string;
}

/** Why a GET brought nothing; `refused`: nobody listens there, or no longer. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly refused: boolean;

  constructor(message: string, refused: boolean) {
    super(message);
    this.refused = refused;
  }
}

/** Largest page taken, bytes; one of 10,000 links is about 10 MB. */
const mostBytes = 16 * 1024 * 1024;

/** A connection of its own to one address, kept open between requests. */
export class HttpPeer {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 2 });
  readonly #address: string;

  /** @param address `host:port` */
  constructor(address: string) {
    this.#address = address;
  }

  /** @throws HttpFailure when there is no whole answer within the time */
  get(path: string, timeoutMs: number): Promise<HttpReply> {
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(timeoutMs);
      const fail = (error: Error): void => {
        reject(signal.aborted ? new HttpFailure(`no answer within ${timeoutMs} ms`, false) : failureOf(error));
      };
      const request = get(`http://${this.#address}${path}`, { agent: this.#agent, signal }, (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > mostBytes) response.destroy(new Error(`the page is over ${mostBytes} bytes`));
          else chunks.push(chunk);
        });
        response.once('error', fail);
        response.once('end', () => {
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') });
        });
      });
      request.once('error', fail);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function failureOf(error: Error): HttpFailure {
  const code = 'code' in error ? String(error.code) : error.message;
  return new HttpFailure(WORDS[code] ?? code, code !== 'ETIMEDOUT');
}

/** What the system's codes mean to a person. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  // It was there a moment ago: a process that dies while it is asked.
  ECONNRESET: 'it broke the connection off',
};
