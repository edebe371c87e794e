import { METRICS } from '../../../shared/telemetry/names.js';
import { dashboard } from './dashboard.js';
import { bands, curves, stat } from './panels.js';
import { increase, mean, plain, quantile, RECORDED, RUNTIME, rate, series } from './promql.js';

/** How teaching and distillation get on, and how the stored knowledge between them is used. */
export function distillationDashboard() {
  return dashboard({
    uid: 'semlink-distillation',
    title: 'SemLink / Distillation and knowledge',
    description: 'How teaching and distillation get on, and how the stored knowledge between them is used.',
    choices: [{ name: 'namespace', label: 'Namespace', of: METRICS.buildInfo.name }],
    rows: [
      { title: 'Jobs', panels: jobs() },
      { title: 'Distillation', panels: distillation() },
      { title: 'Knowledge', panels: knowledge() },
    ],
  });
}

const jobs = () => [
  stat({
    title: 'Done',
    description: 'Of every job that runs.',
    unit: 'percentunit',
    width: 5,
    queries: [{ expr: series('jobProgress'), legend: '{{job}} {{instance}}' }],
  }),
  stat({
    title: 'Time left',
    description: 'At the rate of this sitting.',
    unit: 's',
    width: 5,
    queries: [{ expr: series('jobRemaining'), legend: '{{job}} {{instance}}' }],
  }),
  bands({
    title: 'What they do',
    description: 'Training, looking at held-out images, calibrating; teaching.',
    width: 9,
    queries: [{ expr: series('jobPhase'), legend: '{{job}} {{instance}} {{phase}}' }],
  }),
  stat({
    title: 'Best held-out accuracy now',
    description: 'Of the points that are looked at.',
    unit: 'percentunit',
    width: 5,
    queries: [{ expr: `max(${series('trainingHoldout')})`, legend: 'accuracy' }],
  }),
];

const distillation = () => [
  curves({
    title: 'Loss',
    description:
      'Its terms, averaged over about 20 steps. A task term that falls while the teacher’s does not: see --temperature.',
    unit: 'suffix: nats',
    width: 8,
    queries: [{ expr: series('trainingLoss'), legend: '{{term}} {{instance}}' }],
  }),
  curves({
    title: 'Held-out accuracy',
    description: 'At the latest look, on images that are never trained on.',
    unit: 'percentunit',
    max: 1,
    width: 8,
    queries: [
      { expr: series('trainingHoldout'), legend: '{{point}}' },
      { expr: series('trainingAccuracy'), legend: 'training images, all channels' },
    ],
  }),
  curves({
    title: 'Speed',
    description: 'Images a second learned from, views a second that the teacher answers.',
    width: 8,
    queries: [
      { expr: plain(RECORDED.trainingImages), legend: 'images/s {{instance}}' },
      { expr: plain(RECORDED.teachingViews), legend: 'views/s {{instance}}' },
    ],
  }),
  curves({
    title: 'One step',
    description: 'Half and 99 of 100.',
    unit: 's',
    width: 6,
    queries: [
      { expr: quantile(0.5, 'trainingSteps'), legend: 'half' },
      { expr: quantile(0.99, 'trainingSteps'), legend: '99 of 100' },
      { expr: mean('trainingSteps'), legend: 'mean' },
    ],
  }),
  curves({
    title: 'Epochs',
    description: 'Done, of those that the run has.',
    width: 6,
    queries: [
      { expr: series('trainingEpoch'), legend: 'done {{instance}}' },
      { expr: series('trainingEpochs'), legend: 'of {{instance}}' },
    ],
  }),
  curves({
    title: 'Semantic bits an image',
    description: 'The information bound that --bottleneck lowers; 0 where groups are of one.',
    width: 6,
    queries: [{ expr: series('trainingSemanticBits'), legend: '{{instance}}' }],
  }),
  curves({
    title: 'Learning rate',
    description: 'Of the latest epoch.',
    width: 6,
    queries: [{ expr: series('trainingLearningRate'), legend: '{{instance}}' }],
  }),
  curves({
    title: 'Memory of the jobs',
    description: 'Resident.',
    unit: 'bytes',
    width: 12,
    queries: [{ expr: plain(RUNTIME.memory, { job: '=~"distiller|teacher"' }), legend: '{{job}} {{instance}}' }],
  }),
  curves({
    title: 'Views taught',
    description: 'Asked of the teacher, a second.',
    width: 12,
    queries: [{ expr: rate('teachingViews', ['instance']), legend: '{{instance}}' }],
  }),
];

const knowledge = () => [
  curves({
    title: 'Records handed out',
    description: 'A second, by call.',
    width: 6,
    queries: [{ expr: rate('knowledgeRecords', ['call']), legend: '{{call}}' }],
  }),
  curves({
    title: 'Bytes',
    description: 'sent to trainers, received from teachers, read from the store.',
    unit: 'Bps',
    width: 6,
    queries: [{ expr: rate('knowledgeBytes', ['direction']), legend: '{{direction}}' }],
  }),
  curves({
    title: 'Found in memory',
    description: 'Of the blocks that were needed.',
    unit: 'percentunit',
    max: 1,
    width: 6,
    queries: [{ expr: plain(RECORDED.knowledgeHits), legend: 'hits' }],
  }),
  curves({
    title: 'Reads of the store, 99 of 100',
    description: 'One range read.',
    unit: 's',
    width: 6,
    queries: [{ expr: quantile(0.99, 'knowledgeStoreReads'), legend: 'read' }],
  }),
  curves({
    title: 'Calls, 99 of 100',
    description: 'Of a stream, until its first message.',
    unit: 's',
    width: 6,
    queries: [{ expr: quantile(0.99, 'knowledgeCalls', ['call']), legend: '{{call}}' }],
  }),
  curves({
    title: 'Blocks',
    description: 'A second, found in memory or read from the store.',
    stack: true,
    width: 6,
    queries: [{ expr: rate('knowledgeBlocks', ['outcome']), legend: '{{outcome}}' }],
  }),
  stat({
    title: 'Shards from teachers',
    description: 'In the time shown: stored, known already, refused.',
    width: 6,
    queries: [{ expr: increase('knowledgeShards', ['outcome']), legend: '{{outcome}}' }],
  }),
  stat({
    title: 'Faults in stored knowledge',
    description: 'By kind; any is one too many, and none of it was handed out.',
    width: 6,
    limits: { yellow: 1, red: 1 },
    queries: [{ expr: `sum by (kind) (${series('knowledgeFaults')}) or vector(0)`, legend: '{{kind}}' }],
  }),
];
