import { METRICS } from '../../../shared/telemetry/names.js';
import { dashboard } from './dashboard.js';
import { bars, curves, heatmap, stat } from './panels.js';
import { buckets, mean, plain, quantile, RECORDED, rate, series } from './promql.js';

const link = { link: '=~"$link"' };
/** A frame is counted by every service that its answer passes: these are of the one that sees them all. */
const TX = { job: '="transmitter-encoder"' };
const RX = { job: '="receiver-decoder"' };

/** Whether meaning arrives, how late, at what cost, and why not. */
export function linkDashboard() {
  return dashboard({
    uid: 'semlink-link',
    title: 'SemLink / Link',
    description: 'Whether meaning arrives, how late, at what cost, and why not.',
    choices: [
      { name: 'namespace', label: 'Namespace', of: METRICS.buildInfo.name },
      { name: 'link', label: 'Link', of: METRICS.frames.name },
    ],
    rows: [
      { title: 'At a glance', panels: glance() },
      { title: 'Does meaning arrive?', panels: meaning() },
      { title: 'How late?', panels: lateness() },
      { title: 'At what cost?', panels: cost() },
      { title: 'Why not? The channel', panels: channel() },
      { title: 'Why not? Errors', panels: errors() },
    ],
  });
}

const glance = () => [
  stat({
    title: 'Accuracy, 5 minutes',
    description:
      'Labelled images answered right, of all links. Empty where no image has a label: see confidence below.',
    unit: 'percentunit',
    width: 4,
    limits: { yellow: 0.85, red: 0.8, below: true },
    queries: [{ expr: plain(RECORDED.accuracyAll5m), legend: 'accuracy' }],
  }),
  stat({
    title: 'Images a second',
    description: 'Answered by a result, of all links.',
    width: 4,
    queries: [{ expr: plain(RECORDED.images1m, { outcome: '="result"' }), legend: 'images/s' }],
  }),
  stat({
    title: 'Latency, 99 of 100',
    description: 'From capture to answer.',
    unit: 's',
    width: 4,
    limits: { yellow: 0.1, red: 0.25 },
    queries: [{ expr: plain(RECORDED.latency, { quantile: '="0.99"' }), legend: 'p99' }],
  }),
  stat({
    title: 'Channel uses an image',
    description: 'k, complex: the bandwidth that one image takes.',
    width: 4,
    queries: [{ expr: plain(RECORDED.channelUses), legend: 'k' }],
  }),
  stat({
    title: 'Semantic bits an image',
    description: 'The most that the received symbols of one image can tell of it.',
    width: 4,
    queries: [{ expr: plain(RECORDED.semanticBits), legend: 'bits' }],
  }),
  stat({
    title: 'Errors',
    description: 'Images answered by an error that is not the channel’s doing.',
    unit: 'percentunit',
    width: 4,
    limits: { yellow: 0.001, red: 0.01 },
    queries: [{ expr: plain(RECORDED.errors), legend: 'errors' }],
  }),
];

const meaning = () => [
  curves({
    title: 'Accuracy of each link, 1 minute',
    description: 'Labelled images answered right, beside what is asked for.',
    unit: 'percentunit',
    max: 1,
    width: 12,
    queries: [
      { expr: plain(RECORDED.accuracy1m, link), legend: '{{link}}' },
      { expr: RECORDED.wantedAccuracy, legend: 'objective' },
    ],
  }),
  bars({
    title: 'Accuracy by SNR and length, 5 minutes',
    description:
      'SNR on the air in steps of 2 dB, k complex channel uses. Low at a low SNR is what channels do; low everywhere is not.',
    unit: 'percentunit',
    max: 1,
    width: 6,
    queries: [{ expr: `sort_desc(${plain(RECORDED.accuracyBySnr)})`, legend: 'from {{snr_from_db}} dB, k={{k}}' }],
  }),
  curves({
    title: 'Without labels',
    description: 'How sure the decoder is, and how often it says something else as if the channel were 3 dB worse.',
    unit: 'percentunit',
    max: 1,
    width: 6,
    queries: [
      { expr: plain(RECORDED.confidence), legend: 'confidence' },
      { expr: plain(RECORDED.disagreement, link), legend: 'disagreement {{link}}' },
    ],
  }),
  curves({
    title: 'Accuracy by model, 15 minutes',
    description: 'Labelled images answered right by each model that is served: a canary beside the rest.',
    unit: 'percentunit',
    max: 1,
    width: 8,
    queries: [{ expr: plain(RECORDED.accuracyByModel), legend: '{{model}}' }],
  }),
  curves({
    title: 'Confidence by model, 15 minutes',
    description: 'How sure each model is; where no labels are known this is what there is to compare.',
    unit: 'percentunit',
    max: 1,
    width: 8,
    queries: [{ expr: plain(RECORDED.confidenceByModel), legend: '{{model}}' }],
  }),
  curves({
    title: 'Answers by model, 15 minutes',
    description: 'Share of the answers that each model gives.',
    unit: 'percentunit',
    max: 1,
    stack: true,
    width: 8,
    queries: [{ expr: plain(RECORDED.answersByModel), legend: '{{model}}' }],
  }),
];

const lateness = () => [
  curves({
    title: 'From capture to answer',
    description: 'Points are traces of sampled frames: click one.',
    unit: 's',
    width: 8,
    queries: [
      { expr: quantile(0.5, 'endToEndLatency', [], TX), legend: 'half', exemplar: true },
      { expr: quantile(0.95, 'endToEndLatency', [], TX), legend: '95 of 100' },
      { expr: quantile(0.99, 'endToEndLatency', [], TX), legend: '99 of 100' },
      { expr: RECORDED.wantedLatency, legend: 'objective' },
    ],
  }),
  heatmap({
    title: 'How latency spreads',
    description: 'Two bands mean two kinds of images: those that waited, and those that did not.',
    unit: 's',
    width: 8,
    queries: [{ expr: buckets('endToEndLatency', [], TX), legend: '{{le}}' }],
  }),
  curves({
    title: 'Where the time goes',
    description: 'Mean of each stage; network is what no stage accounts for.',
    unit: 's',
    stack: true,
    width: 8,
    queries: [
      { expr: mean('stage', ['stage']), legend: '{{stage}}' },
      { expr: mean('network', [], TX), legend: 'network' },
    ],
  }),
];

const cost = () => [
  curves({
    title: 'Channel uses an image',
    description: 'k, and k for each image answered right.',
    width: 6,
    queries: [
      { expr: mean('channelUses', [], TX), legend: 'k' },
      { expr: plain(RECORDED.channelUsesPerRight), legend: 'k a right answer' },
    ],
  }),
  curves({
    title: 'Information an image',
    description: 'Semantic information rate, and the bytes of symbols that carried it.',
    width: 6,
    queries: [
      { expr: mean('semanticBits', [], RX), legend: 'semantic bits' },
      { expr: plain(RECORDED.payloadBytes), legend: 'payload bytes' },
    ],
  }),
  curves({
    title: 'Lengths chosen',
    description: 'Images a second by k.',
    stack: true,
    width: 6,
    queries: [{ expr: rate('rateDecisions', ['k'], link), legend: 'k={{k}}' }],
  }),
  curves({
    title: 'Processor time an image',
    description: 'By service.',
    unit: 's',
    stack: true,
    width: 6,
    queries: [{ expr: plain(RECORDED.cpuPerImage), legend: '{{job}}' }],
  }),
];

const channel = () => [
  curves({
    title: 'SNR on the air',
    description: 'Average Es/N0 of each link, from its latest answer.',
    unit: 'dB',
    min: -20,
    width: 6,
    queries: [{ expr: series('snr', { ...link, ...RX }), legend: '{{link}}' }],
  }),
  curves({
    title: 'Why these lengths',
    description: 'stale: the channel was not known; best-effort: the target is out of reach; hold: hysteresis.',
    stack: true,
    width: 6,
    queries: [{ expr: rate('rateDecisions', ['reason'], link), legend: '{{reason}}' }],
  }),
  curves({
    title: 'Age of channel state',
    description: 'When a length was chosen by it.',
    unit: 's',
    width: 6,
    queries: [
      { expr: quantile(0.5, 'feedbackAge', [], TX), legend: 'half' },
      { expr: quantile(0.9, 'feedbackAge', [], TX), legend: '90 of 100' },
    ],
  }),
  curves({
    title: 'Reports on their way back',
    description: 'What became of channel state: delivered, lost, or overflow.',
    stack: true,
    width: 6,
    queries: [{ expr: rate('feedback', ['fate']), legend: '{{fate}}' }],
  }),
  curves({
    title: 'Not carried by the air',
    description: 'erased: lost by the channel; queue_full: the air of the link was taken for too long.',
    width: 6,
    queries: [{ expr: rate('airLost', ['link', 'reason'], link), legend: '{{link}} {{reason}}' }],
  }),
  curves({
    title: 'Time on the air, and waiting for it',
    description: 'Links in real time: k over the symbol rate.',
    unit: 's',
    width: 6,
    queries: [
      { expr: quantile(0.5, 'airTime'), legend: 'air, half' },
      { expr: quantile(0.99, 'airTime'), legend: 'air, 99 of 100' },
      { expr: quantile(0.99, 'airWait'), legend: 'wait, 99 of 100' },
    ],
  }),
  curves({
    title: 'Changes of channels',
    description: 'By hand (set, reset, restore) or by a scenario.',
    width: 6,
    queries: [
      { expr: rate('channelChanges', ['by']), legend: '{{by}}' },
      { expr: `sum(${series('scenariosRunning')})`, legend: 'scenarios running' },
    ],
  }),
  curves({
    title: 'Links and what is held',
    description: 'Links known to the emulator; frames on the air and reports on their way back.',
    width: 6,
    queries: [
      { expr: `sum(${series('linksKnown')})`, legend: 'links known' },
      { expr: `sum(${series('framesHeld')})`, legend: 'on the air' },
      { expr: `sum(${series('channelWatchers')})`, legend: 'watchers of channels' },
      { expr: `sum(${series('symbolWatchers')})`, legend: 'watchers of symbols' },
      { expr: rate('symbolSamples'), legend: 'frames shown to them a second' },
    ],
  }),
];

const errors = () => [
  curves({
    title: 'Errors by cause',
    description: 'Images a second answered by an error, by cause and by the service that said so.',
    stack: true,
    width: 12,
    queries: [{ expr: rate('errors', ['cause', 'origin'], TX), legend: '{{cause}} ({{origin}})' }],
  }),
  curves({
    title: 'Answers by outcome',
    description: 'Of each link.',
    width: 6,
    queries: [{ expr: rate('frames', ['link', 'outcome'], { ...link, ...TX }), legend: '{{link}} {{outcome}}' }],
  }),
  curves({
    title: 'Given up without harm',
    description: 'Rechecks that a busy engine had no time for, and answers to frames that nobody waited for.',
    width: 6,
    queries: [{ expr: rate('dropped', ['what']), legend: '{{what}}' }],
  }),
];
