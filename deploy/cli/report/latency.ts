import { readFileSync } from 'node:fs';
import os from 'node:os';
import { createChannelModel } from '../../../shared/channel/channel-config.js';
import { LinkRandom } from '../../../shared/channel/link-random.js';
import { equalise } from '../../../shared/codec/equaliser.js';
import { graphFolder, graphPorts, type PublishedModel } from '../../../shared/codec/model-folder.js';
import { ModelSession } from '../../../shared/tensor/session.js';

/** Wall-clock time of one call, ms, in this process and thread, without any network. */
export interface Latency {
  batch: number;
  /** encoder, decoder, or chain: encoder, channel, equaliser, decoder. */
  part: 'encoder' | 'decoder' | 'chain';
  p50_ms: number;
  p99_ms: number;
  calls: number;
}

/** Times the served graphs at the longest message, after a tenth as many calls to warm up. */
export function measureLatency(model: PublishedModel, calls: number): Latency[] {
  if (calls === 0) return [];
  const { network } = model.manifest;
  const load = (role: 'encoder' | 'decoder') => new ModelSession(graphFolder(model, role), graphPorts(network, role));
  const [encoder, decoder] = [load('encoder'), load('decoder')];
  const k = network.maxChannelUses;
  const channel = createChannelModel({ model: 'rayleigh-block', snrDb: 10, coherenceSymbols: 0 });
  const random = new LinkRandom(1n, 'latency');
  const results: Latency[] = [];
  for (const batch of [1, 32]) {
    const rgb = Uint8Array.from({ length: batch * network.width * network.height * 3 }, (_, i) => (i * 31) % 256);
    const column = (value: number) => new Float32Array(batch).fill(value);
    const encode = () => encoder.run(batch, [rgb, column(10), column(k)]);
    const sent = encode();
    const decode = (symbols: Float32Array) => decoder.run(batch, [symbols, column(10), column(k)]);
    const chain = () => {
      const symbols = encode();
      const received = new Float32Array(symbols.length);
      const air = new Float32Array(2 * k);
      for (let i = 0; i < batch; i++) {
        const frame = symbols.subarray(i * 2 * k, (i + 1) * 2 * k);
        const effect = channel.apply(frame, { random, position: i * k }, air);
        equalise(air, effect, received.subarray(i * 2 * k, (i + 1) * 2 * k));
      }
      return decode(received);
    };
    const parts = { encoder: encode, decoder: () => decode(sent), chain };
    for (const [part, run] of Object.entries(parts)) results.push(time(part as Latency['part'], batch, calls, run));
  }
  encoder.dispose();
  decoder.dispose();
  return results;
}

function time(part: Latency['part'], batch: number, calls: number, run: () => unknown): Latency {
  for (let i = 0; i < Math.ceil(calls / 10); i++) run();
  const times = Float64Array.from({ length: calls }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  }).sort();
  const quantile = (q: number) => Number(times[Math.min(calls - 1, Math.floor(q * calls))]!.toFixed(3));
  return { batch, part, p50_ms: quantile(0.5), p99_ms: quantile(0.99), calls };
}

/** The machine by its class, not by its name: maker and family of the processor, cores, vector width, load. */
export function machineClass(): string {
  const family = (os.cpus()[0]?.model ?? process.arch)
    .replace(/\(R\)|\(TM\)/g, '')
    .split(' ')
    .slice(0, 2)
    .join(' ');
  let flags = '';
  try {
    flags = readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    // Not Linux: then the vector width is not known.
  }
  const vectors = flags.includes('avx512f') ? ', AVX-512' : flags.includes('avx2') ? ', AVX2' : '';
  return `${os.availableParallelism()} cores of ${family}${vectors}, load average ${os.loadavg()[0]!.toFixed(1)}`;
}
