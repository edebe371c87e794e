import { METRICS } from '../../../shared/telemetry/names.js';
import { dashboard } from './dashboard.js';
import { bands, curves, stat } from './panels.js';
import { mean, plain, quantile, RECORDED, RUNTIME, rate, series, WORKERS } from './promql.js';

const chosen = { job: '=~"$job"', instance: '=~"$instance"' };

/** Whether the processes are well, and whether they use what they have. */
export function serviceDashboard() {
  return dashboard({
    uid: 'semlink-service',
    title: 'SemLink / Services',
    description: 'Whether the processes are well, and whether they use what they have.',
    choices: [
      { name: 'namespace', label: 'Namespace', of: METRICS.buildInfo.name },
      { name: 'job', label: 'Service', of: METRICS.buildInfo.name },
      { name: 'instance', label: 'Instance', of: `${METRICS.buildInfo.name}{job=~"$job"}` },
    ],
    rows: [
      { title: 'Up and ready', panels: health() },
      { title: 'Batches and queues', panels: engine() },
      { title: 'Process', panels: runtime() },
      { title: 'GPU', panels: gpu() },
    ],
  });
}

const health = () => [
  bands({
    title: 'Takes work',
    description: 'Ready: of every service and instance.',
    width: 6,
    queries: [{ expr: series('ready', chosen), legend: '{{job}} {{instance}} {{worker}}' }],
  }),
  bands({
    title: 'Drains',
    description: 'From the signal to stop until the end.',
    width: 6,
    queries: [{ expr: series('draining', chosen), legend: '{{job}} {{instance}} {{worker}}' }],
  }),
  bands({
    title: 'Workers',
    description: 'Of services that run as several: whether each is there.',
    width: 6,
    queries: [{ expr: plain(WORKERS.up, chosen), legend: '{{job}} {{instance}} {{worker}}' }],
  }),
  curves({
    title: 'Restarts of workers',
    description: 'Ended without being told to, and started again.',
    width: 6,
    queries: [{ expr: plain(WORKERS.restarts, chosen), legend: '{{job}} {{instance}} {{worker}}' }],
  }),
  stat({
    title: 'Versions',
    description: 'What runs how often; more than one while it is rolled out.',
    width: 12,
    queries: [{ expr: `count by (job, version) (${series('buildInfo', chosen)})`, legend: '{{job}} {{version}}' }],
  }),
  stat({
    title: 'Youngest process',
    description: 'A short time says that something has restarted.',
    unit: 's',
    width: 12,
    queries: [{ expr: `time() - max(${plain(RUNTIME.started, chosen)})`, legend: 'age' }],
  }),
];

const engine = () => [
  curves({
    title: 'Images in a batch',
    description: 'Mean; near 1 the engine is idle between images, near its limit it is the bottleneck.',
    width: 8,
    queries: [
      { expr: mean('batchSize', ['job', 'instance', 'worker'], chosen), legend: '{{job}} {{instance}} {{worker}}' },
    ],
  }),
  curves({
    title: 'What closed batches',
    description:
      'idle: the engine was free; preferred, full: a size was reached; delay: the first had waited long enough.',
    stack: true,
    width: 8,
    queries: [{ expr: rate('batches', ['job', 'closed_by'], chosen), legend: '{{job}} {{closed_by}}' }],
  }),
  curves({
    title: 'Stages, 99 of 100',
    description: 'Waiting apart from working. Points are traces of sampled frames.',
    unit: 's',
    width: 8,
    queries: [{ expr: quantile(0.99, 'stage', ['stage'], chosen), legend: '{{stage}}', exemplar: true }],
  }),
  curves({
    title: 'Queues',
    description: 'Bytes waiting.',
    unit: 'bytes',
    width: 8,
    queries: [{ expr: series('queueBytes', chosen), legend: '{{job}} {{instance}} {{worker}} {{queue}}' }],
  }),
  curves({
    title: 'How full queues are',
    description: 'Of those with one limit for all; a full one refuses images.',
    unit: 'percentunit',
    max: 1,
    width: 8,
    queries: [
      { expr: plain(RECORDED.queue, chosen), legend: '{{job}} {{instance}} {{worker}} {{queue}}' },
      { expr: RECORDED.wantedQueue, legend: 'objective' },
    ],
  }),
  curves({
    title: 'Open streams',
    description: 'served: from the previous hop; called: to the next one.',
    width: 8,
    queries: [{ expr: series('streamsOpen', chosen), legend: '{{job}} {{instance}} {{worker}} {{side}}' }],
  }),
  curves({
    title: 'Bytes received',
    description: 'Pixels or symbols in frames, a second.',
    unit: 'Bps',
    width: 8,
    queries: [{ expr: rate('receivedBytes', ['job'], chosen), legend: '{{job}}' }],
  }),
  curves({
    title: 'Tensors alive',
    description: 'Of TensorFlow; a line that only rises is a leak.',
    width: 8,
    queries: [{ expr: series('tensorsAlive', chosen), legend: '{{job}} {{instance}} {{worker}}' }],
  }),
  curves({
    title: 'Images answered',
    description: 'A second, by every instance: whether load spreads.',
    stack: true,
    width: 8,
    queries: [
      { expr: rate('frames', ['job', 'instance', 'worker'], chosen), legend: '{{job}} {{instance}} {{worker}}' },
    ],
  }),
  curves({
    title: 'Pages of the console',
    description: 'Open pages, and updates for them a second; skipped: a page had not read those before.',
    width: 8,
    queries: [
      { expr: series('consolePages'), legend: 'open' },
      { expr: rate('consoleUpdates', ['outcome']), legend: '{{outcome}}' },
    ],
  }),
];

const runtime = () => [
  curves({
    title: 'Processor',
    description: 'Cores in use.',
    width: 8,
    queries: [
      {
        expr: `sum by (job, instance, worker) (rate(${plain(RUNTIME.cpu, chosen)}[$__rate_interval]))`,
        legend: '{{job}} {{instance}} {{worker}}',
      },
    ],
  }),
  curves({
    title: 'Memory',
    description: 'Resident. Nothing in SemLink grows with the images sent.',
    unit: 'bytes',
    width: 8,
    queries: [{ expr: plain(RUNTIME.memory, chosen), legend: '{{job}} {{instance}} {{worker}}' }],
  }),
  curves({
    title: 'Heap and buffers',
    description: 'JavaScript objects, and the memory of buffers beside them.',
    unit: 'bytes',
    width: 8,
    queries: [
      { expr: plain(RUNTIME.heap, chosen), legend: 'heap {{job}} {{instance}} {{worker}}' },
      { expr: plain(RUNTIME.external, chosen), legend: 'buffers {{job}} {{instance}} {{worker}}' },
    ],
  }),
  curves({
    title: 'Event-loop lag',
    description: 'How late turns come, half and 99 of 100; streams wait as long.',
    unit: 's',
    width: 8,
    queries: [
      { expr: plain(RUNTIME.lagMedian, chosen), legend: 'half {{job}} {{instance}} {{worker}}' },
      { expr: plain(RUNTIME.lag99, chosen), legend: '99 of 100 {{job}} {{instance}} {{worker}}' },
      { expr: RECORDED.wantedLag, legend: 'objective' },
    ],
  }),
  curves({
    title: 'Garbage collection',
    description: 'Share of the time.',
    unit: 'percentunit',
    width: 8,
    queries: [
      {
        expr: `sum by (job, instance, worker) (rate(${plain(RUNTIME.garbage, chosen)}[$__rate_interval]))`,
        legend: '{{job}} {{instance}} {{worker}}',
      },
    ],
  }),
  curves({
    title: 'Open files',
    description: 'Sockets among them.',
    width: 8,
    queries: [{ expr: plain(RUNTIME.files, chosen), legend: '{{job}} {{instance}} {{worker}}' }],
  }),
];

const gpu = () => [
  curves({
    title: 'What computes the models',
    description: 'Processes by backend and device: an encoder on a processor where a GPU was meant shows here.',
    stack: true,
    width: 8,
    queries: [
      {
        expr: `sum by (job, backend, device) (${series('engineInfo', chosen)})`,
        legend: '{{job}} {{backend}} {{device}}',
      },
    ],
  }),
  curves({
    title: 'GPU at work',
    description: 'Share of the last moments in which it computed something. Empty where there is none.',
    unit: 'percentunit',
    max: 1,
    width: 8,
    queries: [{ expr: series('gpuBusy', chosen), legend: '{{job}} {{instance}} {{worker}} {{gpu}}' }],
  }),
  curves({
    title: 'GPU memory',
    description: 'In use, by whatever uses it.',
    unit: 'bytes',
    width: 8,
    queries: [{ expr: series('gpuMemory', chosen), legend: '{{job}} {{instance}} {{worker}} {{gpu}}' }],
  }),
];
