/**
 * Scrapes services one at a time, in a process of its own: one that also loads them would measure its own event loop.
 *
 *   node dist/test/bench/scraper.js SCRAPES URL...     one JSON line a service and format, times in ms
 *
 * Before every GET /metrics comes a GET /healthz, whose answer costs nothing to make: what it takes is the wait for the
 * service's event loop and the processor, which /metrics waits for as well. What rendering takes the service says itself, in
 * the header server-timing.
 */
import { Agent, get } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

/** Times of one kind, ms. */
export interface Distribution {
  p50: number;
  p99: number;
  max: number;
}

/** How fast a service answers in one format. */
export interface ScrapeTimes {
  url: string;
  accept: string;
  bytes: number;
  /** From the request to the last byte of /metrics. */
  answer_ms: Distribution;
  /** The same of /healthz, asked in turn with it. */
  waiting_ms: Distribution;
  /** What the service spent on the text, by its clock. */
  rendering_ms: Distribution;
}

const FORMATS = ['text/plain', 'application/openmetrics-text; version=1.0.0'];
/** Between two requests, ms. */
const GAP_MS = 25;

// A scraper keeps its connections.
const agent = new Agent({ keepAlive: true });

function ask(url: string, accept: string): Promise<{ ms: number; bytes: number; renderedMs: number }> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    get(url, { agent, headers: { accept } }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url} answered ${response.statusCode}`));
      const timing = /dur=([\d.]+)/.exec(String(response.headers['server-timing'] ?? ''));
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on('end', () => resolve({ ms: performance.now() - start, bytes, renderedMs: Number(timing?.[1] ?? 0) }));
    }).on('error', reject);
  });
}

function distribution(times: number[]): Distribution {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (q: number) => Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]!.toFixed(1));
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

const [scrapes, ...urls] = process.argv.slice(2);
for (const accept of FORMATS) {
  for (const url of urls) {
    const waiting: number[] = [];
    const answers: number[] = [];
    const rendering: number[] = [];
    let bytes = 0;
    for (let i = 0; i < Number(scrapes); i++) {
      waiting.push((await ask(`${url}/healthz`, accept)).ms);
      await wait(GAP_MS);
      const answer = await ask(`${url}/metrics`, accept);
      answers.push(answer.ms);
      rendering.push(answer.renderedMs);
      bytes = answer.bytes;
      await wait(GAP_MS);
    }
    const times: ScrapeTimes = {
      url,
      accept,
      bytes,
      answer_ms: distribution(answers),
      waiting_ms: distribution(waiting),
      rendering_ms: distribution(rendering),
    };
    process.stdout.write(`${JSON.stringify(times)}\n`);
  }
}
agent.destroy();
