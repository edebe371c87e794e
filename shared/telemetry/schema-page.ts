import { ATTRIBUTE_NOTES, type FieldNote, LOG_NOTES, SPAN_NOTES } from './field-notes.js';
import { LABELS, type LabelName, labelValues, type MetricName } from './label-values.js';
import {
  ALL_SERVICES,
  ATTRIBUTES,
  DROPS,
  ERROR_CAUSES,
  JOBS,
  LOG_FIELDS,
  METRICS,
  type MetricDefinition,
  PROCESS_METRICS,
  SERVICES,
  SPANS,
  STAGES,
  WORKER_METRICS,
} from './names.js';

/** The whole telemetry schema as a page in Markdown: TELEMETRY.md, which a test compares with this. */
export function schemaPage(): string {
  const sections = [
    heading(),
    metricSection('Metrics of the link', (name) => isOf(name, SERVICES)),
    metricSection('Metrics of the teacher-cache alone', (name) => only(name, ['teacher-cache'])),
    metricSection('Metrics of jobs', (name) => !isOf(name, ALL_SERVICES) && isOf(name, JOBS)),
    metricSection(
      'Metrics of whatever else is up',
      (name) => !isOf(name, [...SERVICES, ...JOBS]) && !only(name, ['teacher-cache']),
    ),
    workerSection(),
    processSection(),
    bucketSection(),
    labelSection(),
    wordSection('Causes of errors', '`cause`, and `FrameError.cause` of an answer.', 'cause', ERROR_CAUSES),
    wordSection('What is given up', '`what`.', 'what', DROPS),
    stageSection(),
    spanSection(),
    fieldSection('Attributes of spans', 'attribute', ATTRIBUTES, ATTRIBUTE_NOTES),
    fieldSection('Fields of log lines', 'field', LOG_FIELDS, LOG_NOTES),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function heading(): string {
  return `# Telemetry schema

Everything that leaves SemLink in a metric, a span or a log line. Made from \`names.ts\`, \`label-values.ts\` and
\`field-notes.ts\` by \`npm run docs:telemetry\`; a test starts the services and sees that all of it is emitted, and nothing else.

Metrics follow the Prometheus rules: base units, the unit as suffix, counters end in \`_total\`. Every service serves them at
\`/metrics\`, as text or, to those who ask, as OpenMetrics, in which the buckets of histograms marked *exemplars* tell the trace
of the last sampled frame in them. With \`--telemetry off\` only \`semlink_ready\` and \`semlink_build_info\` are there.

\`semlink_end_to_end_latency_seconds\` of the transmitter is, frame by frame, the sum of \`semlink_stage_seconds\` over all stages
of all services and \`semlink_network_seconds\`; of the channel's stage, \`semlink_air_time_seconds\` and
\`semlink_air_wait_seconds\` are the parts that a link in real time spends on the air and waiting for it.
How old the channel state was that a decision relied on is \`semlink_feedback_age_seconds\`.

Accuracy is \`semlink_correct_total\` over \`semlink_labelled_total\`. Where no labels are known, \`semlink_confidence_ratio\` and
\`semlink_disagreed_total\` over \`semlink_rechecked_total\` stand for it: the receiver decodes a sample of its frames
(\`--recheck-share\`) once more as if the channel were 3 dB worse, and counts how often the answer is another. That share is no
error rate: it says how much the noise at hand decides, and nothing of what the model gets wrong without noise. Of 1,000 CIFAR-10
images with k = 8 over awgn at -6, 0, 4 and 8 dB, 63, 90, 92 and 91 % were right and 43, 14, 3 and 2 % of the answers changed.`;
}

function metricSection(title: string, belongs: (name: MetricName) => boolean): string {
  const names = (Object.keys(METRICS) as MetricName[]).filter(belongs);
  if (names.length === 0) return '';
  const rows = names.map((name) => {
    const { name: metric, type, unit, labels, services, help, exemplars }: MetricDefinition = METRICS[name];
    const kind = exemplars ? `${type}, *exemplars*` : type;
    return [code(metric), kind, unit, labels.map(code).join(', '), servedBy(services), help];
  });
  return `## ${title}\n\n${table(['metric', 'type', 'unit', 'labels', 'served by', 'meaning'], rows)}`;
}

function workerSection(): string {
  const rows = Object.values(WORKER_METRICS).map(({ name, labels, help }) => [
    code(name),
    labels.map(code).join(', '),
    help,
  ]);
  const intro =
    'A service with `--workers` serves what all its workers measure as one, each sample with a label `worker` (0 to the ' +
    'number of workers less 1), and besides:';
  return `## Metrics of workers\n\n${intro}\n\n${table(['metric', 'labels', 'meaning'], rows)}`;
}

function processSection(): string {
  const rows = PROCESS_METRICS.map(({ name, type, unit, labels, help }) => [
    code(name),
    type,
    unit,
    labels.map(code).join(', '),
    help,
  ]);
  const intro = 'Of every service and job; of the first service of a process alone where several share one.';
  return `## Metrics of processes\n\n${intro}\n\n${table(['metric', 'type', 'unit', 'labels', 'meaning'], rows)}`;
}

function bucketSection(): string {
  const rows = Object.values<MetricDefinition>(METRICS)
    .filter(({ buckets }) => buckets)
    .map(({ name, unit, buckets }) => [code(name), unit, buckets!.join(' ')]);
  return `## Buckets\n\n${table(['histogram', 'unit', 'upper bounds, besides +Inf'], rows)}`;
}

function labelSection(): string {
  const rows = (Object.keys(LABELS) as LabelName[]).map((label) => {
    const users = (Object.keys(METRICS) as MetricName[]).filter((name) =>
      (METRICS[name].labels as readonly string[]).includes(label),
    );
    const byValues = new Map<string, string[]>();
    for (const name of users) {
      const values = labelValues(name, label);
      const shown = 'bound' in values ? values.bound : values.map(code).join(' ');
      byValues.set(shown, [...(byValues.get(shown) ?? []), METRICS[name].name]);
    }
    const single = byValues.size === 1;
    const values = [...byValues].map(([shown, names]) => (single ? shown : `${names.map(code).join(', ')}: ${shown}`));
    return [code(label), LABELS[label].meaning, values.join('; ')];
  });
  const intro = 'Every label has a bounded number of values, whatever clients send.';
  return `## Labels\n\n${intro}\n\n${table(['label', 'meaning', 'values'], rows)}`;
}

function wordSection(title: string, intro: string, column: string, words: Readonly<Record<string, string>>): string {
  const rows = Object.entries(words).map(([word, meaning]) => [code(word), meaning]);
  return `## ${title}\n\n${intro}\n\n${table([column, 'meaning'], rows)}`;
}

function stageSection(): string {
  const rows = Object.entries(STAGES).map(([stage, { service, meaning }]) => [code(stage), service, meaning]);
  return `## Stages of a frame\n\n${table(['stage', 'service', 'meaning'], rows)}`;
}

function spanSection(): string {
  const rows = Object.entries(SPANS).map(([key, name]) => [code(name), SPAN_NOTES[key as keyof typeof SPANS]]);
  return `## Spans\n\n${table(['span', 'meaning'], rows)}`;
}

function fieldSection<Key extends string>(
  title: string,
  column: string,
  names: Readonly<Record<Key, string>>,
  notes: Readonly<Record<Key, FieldNote>>,
): string {
  const rows = (Object.keys(names) as Key[]).map((key) => {
    const { type, unit = '', meaning } = notes[key];
    return [code(names[key]), type, unit, meaning];
  });
  return `## ${title}\n\n${table([column, 'type', 'unit', 'meaning'], rows)}`;
}

function isOf(name: MetricName, services: readonly string[]): boolean {
  return METRICS[name].services.some((service) => services.includes(service));
}

function only(name: MetricName, services: readonly string[]): boolean {
  return METRICS[name].services.every((service) => services.includes(service));
}

function servedBy(services: readonly string[]): string {
  const has = (all: readonly string[]) => all.every((one) => services.includes(one));
  if (has([...ALL_SERVICES, ...JOBS])) return 'all';
  if (has(ALL_SERVICES)) return ['all services', ...services.filter((one) => !isService(one))].join(', ');
  if (has(SERVICES))
    return ['the link', ...services.filter((one) => !(SERVICES as readonly string[]).includes(one))].join(', ');
  return services.join(', ');
}

function isService(name: string): boolean {
  return (ALL_SERVICES as readonly string[]).includes(name);
}

const code = (text: string) => `\`${text}\``;

/** Bars within a cell would end it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
