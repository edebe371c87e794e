/** The second half of the schema of metrics: which values each label of names.ts can have, and so how many. */
import {
  ALL_SERVICES,
  CODE_NAMES,
  DROPS,
  ERROR_CAUSES,
  JOBS,
  LENGTHS,
  METRICS,
  OTHER,
  SERVICES,
  SNR_STEPS,
  STAGES,
} from './names.js';

type Metrics = typeof METRICS;
export type MetricName = keyof Metrics;
export type LabelName = Metrics[MetricName]['labels'][number];

/** All values that there are, or in words what bounds them. */
export type LabelValues = readonly string[] | { readonly bound: string };

export interface LabelDefinition {
  readonly meaning: string;
  /** Of every metric with the label, or of each where they differ. */
  readonly values: LabelValues | { readonly of: { readonly [Name in MetricName]?: readonly string[] } };
}

export const LABELS = {
  link: {
    meaning: 'Link of the frame.',
    values: { bound: 'the first `metrics.link-limit` links (default 100), then `other`' },
  },
  outcome: {
    meaning: 'What became of it.',
    values: {
      of: {
        frames: ['result', 'error'],
        knowledgeBlocks: ['hit', 'miss'],
        knowledgeShards: ['stored', 'known', 'refused'],
        consoleUpdates: ['sent', 'skipped'],
      },
    },
  },
  code: { meaning: 'google.rpc.Code of the error.', values: CODE_NAMES },
  origin: { meaning: 'The service that said so.', values: [...SERVICES, OTHER] },
  cause: { meaning: 'Why, in a word; below.', values: [...Object.keys(ERROR_CAUSES), OTHER] },
  stage: { meaning: 'Stage of a frame.', values: Object.keys(STAGES) },
  snr_from_db: {
    meaning:
      'Where the step of 2 dB begins that holds the average Es/N0: `-inf` is below -12, `20` everything from there.',
    values: SNR_STEPS,
  },
  k: {
    meaning: 'Complex channel uses of the frame.',
    values: { of: { labelledBySnr: LENGTHS, correctBySnr: LENGTHS } },
  },
  model: {
    meaning: 'Version of the model that the frame was encoded and decoded with.',
    values: { bound: 'the first 8 models that answered, then `other`' },
  },
  reason: {
    meaning: 'Why: of a rate decision, or of a frame that the air did not carry.',
    values: {
      of: {
        rateDecisions: ['fixed', 'target', 'hold', 'budget', 'best-effort', 'stale'],
        airLost: ['erased', 'queue_full'],
      },
    },
  },
  fate: { meaning: 'What became of a report.', values: ['delivered', 'lost', 'overflow'] },
  by: { meaning: 'What made the change.', values: ['set', 'reset', 'scenario', 'restore'] },
  queue: {
    meaning:
      'Which queue: before an engine, frames on their way to the next service or program, blocks of knowledge, updates for pages.',
    values: ['encode', 'decode', 'channel', 'receiver', 'external', 'blocks', 'pages'],
  },
  closed_by: { meaning: 'What closed the batch.', values: ['idle', 'preferred', 'full', 'delay'] },
  what: { meaning: 'What was given up; below.', values: Object.keys(DROPS) },
  backend: { meaning: 'Library that computes the models.', values: ['onnxruntime', 'tensorflow'] },
  device: { meaning: 'What the models are computed on.', values: ['cpu', 'gpu'] },
  gpu: { meaning: 'Index of the GPU.', values: { bound: 'the GPUs of the machine' } },
  side: { meaning: 'Who opened the stream.', values: ['served', 'called'] },
  service: { meaning: 'Service or job.', values: [...ALL_SERVICES, ...JOBS] },
  version: { meaning: 'Version of SemLink.', values: { bound: 'one' } },
  call: {
    meaning: 'Call of the teacher-cache.',
    values: { of: { knowledgeRecords: ['stream', 'get'], knowledgeCalls: ['put', 'stream', 'get', 'describe'] } },
  },
  direction: { meaning: 'Which way.', values: ['sent', 'received', 'read'] },
  kind: {
    meaning: 'Kind of the fault.',
    values: [
      'foreign',
      'malformed',
      'truncated',
      'damaged',
      'missing-shard',
      'misplaced',
      'other-data-set',
      'other-augmentation',
      'other-teacher',
      OTHER,
    ],
  },
  phase: {
    meaning: 'What a job does.',
    values: ['starting', 'training', 'looking', 'calibrating', 'teaching', 'done'],
  },
  term: { meaning: 'Term of the loss.', values: ['task', 'auxiliary', 'teacher'] },
  point: { meaning: 'Channel and length of a look.', values: { bound: 'at most 16, then `other`' } },
} as const satisfies Record<LabelName, LabelDefinition>;

const LENGTHS_OF_MODELS: LabelValues = { bound: 'the lengths of the published models, at most 32, then `other`' };

/** The values that a label of a metric can have. */
export function labelValues(metric: MetricName, label: LabelName): LabelValues {
  const { values }: LabelDefinition = LABELS[label];
  if (!('of' in values)) return values;
  const own = values.of[metric];
  if (own) return own;
  // Rate decisions know their model's lengths.
  if (label === 'k') return LENGTHS_OF_MODELS;
  throw new Error(`label-values.ts says nothing of the label ${label} of ${METRICS[metric].name}`);
}
