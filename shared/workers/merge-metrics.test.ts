import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { parseExposition } from '../../test/telemetry/exposition-parse.js';
import { ExpositionWriter } from '../telemetry/exposition.js';
import { mergeMetrics } from './merge-metrics.js';

function registry(value: number): Registry {
  const made = new Registry();
  new Counter({ name: 'frames_total', help: 'Frames {all} "of them".', registers: [made] }).inc(value);
  new Gauge({ name: 'queue_bytes', help: 'Bytes.', labelNames: ['queue'], registers: [made] }).set(
    { queue: 'a b}"' },
    value,
  );
  const latency = new Histogram({ name: 'latency_seconds', help: 'Latency.', buckets: [1, 2], registers: [made] });
  for (let i = 0; i < value; i++) latency.observe(i);
  return made;
}

const merged = async (accept?: string) => {
  const texts = [3, 1].map(async (value, i) => {
    const { body } = await new ExpositionWriter(registry(value)).render(accept);
    return { worker: String(i), text: body };
  });
  return mergeMetrics(await Promise.all(texts));
};

describe('the metrics of several workers', () => {
  it('keep every sample, under the name of its worker, and describe each metric once', async () => {
    const text = await merged();
    expect(text.split('\n').filter((line) => line.startsWith('# TYPE'))).toEqual([
      '# TYPE frames_total counter',
      '# TYPE queue_bytes gauge',
      '# TYPE latency_seconds histogram',
    ]);
    const { samples } = parseExposition(text);
    const of = (name: string) =>
      samples.filter((sample) => sample.name === name).map(({ labels, value }) => [labels, value]);
    expect(of('frames_total')).toEqual([
      [{ worker: '0' }, 3],
      [{ worker: '1' }, 1],
    ]);
    expect(of('queue_bytes')).toEqual([
      [{ worker: '0', queue: 'a b}"' }, 3],
      [{ worker: '1', queue: 'a b}"' }, 1],
    ]);
    expect(of('latency_seconds_count').map(([, value]) => value)).toEqual([3, 1]);
    expect(of('latency_seconds_bucket')).toHaveLength(6);
    expect(samples).toHaveLength(2 + 2 + 6 + 2 + 2);
  });

  it('stay OpenMetrics: one end of file, at the end, and exemplars as they were', async () => {
    const text = await merged('application/openmetrics-text');
    expect(text.match(/# EOF/g)).toHaveLength(1);
    expect(text.endsWith('# EOF\n')).toBe(true);
    const exemplar = 'x_bucket{le="1"} 5 # {trace_id="0af7"} 0.5 1.0';
    expect(mergeMetrics([{ worker: '4', text: `# TYPE x histogram\n${exemplar}\n` }])).toBe(
      '# TYPE x histogram\nx_bucket{worker="4",le="1"} 5 # {trace_id="0af7"} 0.5 1.0\n',
    );
  });

  it('of nobody are nothing', () => {
    expect(mergeMetrics([])).toBe('\n');
  });
});
