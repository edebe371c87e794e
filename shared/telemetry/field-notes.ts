/** What the attributes of spans and the fields of log lines in names.ts mean, and of what type they are. */
import type { ATTRIBUTES, LOG_FIELDS, SPANS } from './names.js';

export interface FieldNote {
  readonly type: 'string' | 'int' | 'double' | 'boolean' | 'object';
  /** Of a number. */
  readonly unit?: string;
  readonly meaning: string;
}

export const SPAN_NOTES = {
  send: 'Client: from capture to answer. The root of the trace of a frame that its client samples.',
  transmit: 'Transmitter: from taking the frame to its answer; all that happens to the frame lies within it.',
  encode: 'Transmitter: from taking the frame to having its symbols.',
  propagate: 'Channel emulator: from taking the symbols to having sent them on.',
  decode: 'Receiver: from taking the symbols to having the answer.',
  stream: "Mark of a stream's opening, of no length, to which the spans of its frames link; a stream is never a span.",
  distill: 'A training run, the root of its trace.',
  readKnowledge: 'Of a training run: reading what a teacher has said.',
  epoch: 'Of a training run: one pass over the images, or what was left of it.',
  calibrate: 'Of a training run: accuracy over length, SNR and channel, on held-out images.',
  publishModel: 'Of a training run: writing the model into its folder.',
  teach: 'One worker of `semlink teach`, the root of its trace.',
  shard: 'Of teaching: one shard, asked of the teacher and stored.',
  storeShard: 'Of a shard: storing it.',
  publishKnowledge: 'Of teaching: publishing the set, if no shard of it is missing.',
  knowledgeCall: 'Teacher-cache: one call, under the job that called.',
} as const satisfies Record<keyof typeof SPANS, string>;

const text = (meaning: string): FieldNote => ({ type: 'string', meaning });
const int = (unit: string, meaning: string): FieldNote => ({ type: 'int', unit, meaning });
const double = (unit: string, meaning: string): FieldNote => ({ type: 'double', unit, meaning });

export const ATTRIBUTE_NOTES: Readonly<Record<keyof typeof ATTRIBUTES, FieldNote>> = {
  service: text('Service that recorded the span; several can share a process.'),
  link: text('Link of the frame.'),
  sequence: int('frames', 'Number of the frame in its link.'),
  channelUses: int('complex channel uses', 'k of the frame.'),
  snrDb: double('dB', 'Average Es/N0 on the air.'),
  channelModel: text('Model of the channel.'),
  modelVersion: text('Published model that encodes or decodes.'),
  rateReason: text('Why this k was chosen.'),
  batchSize: int('frames', 'Frames of the batch.'),
  queueSeconds: double('seconds', 'How long the frame waited for its batch.'),
  payloadBytes: int('bytes', 'Symbols of the frame on the wire.'),
  label: int('class', 'The class that was answered.'),
  correct: { type: 'boolean', meaning: 'Whether that is the true label, where it is known.' },
  errorCode: int('google.rpc.Code', 'Of a frame without a result.'),
  errorOrigin: text('Service in which it failed.'),
  peer: text('Address of the other end.'),
  rpc: text('Method of the stream or call.'),
  seed: int('', 'Seed of the run.'),
  images: int('images', 'How many images it was about.'),
  views: int('views', 'Augmented views of each image.'),
  teacher: text('Name of the teacher.'),
  knowledgeSet: text('Set of knowledge.'),
  records: int('records', 'Records of knowledge.'),
  bytes: int('bytes', 'How much was read or stored.'),
  epoch: int('epochs', 'Which epoch of the run.'),
  step: int('steps', 'Steps that the run has taken.'),
  loss: double('nats', 'Loss over the epoch.'),
  semanticBits: double('bits', 'Semantic information rate an image.'),
  accuracy: double('1', 'Share answered right.'),
  imagesPerSecond: double('images/s', 'Speed of the epoch.'),
  points: int('points', 'Points of a calibration.'),
  share: text('Which part of a set a teacher does, i/n.'),
  firstImage: int('', 'Index of the first image of a shard.'),
  outcome: text('What became of it.'),
};

export const LOG_NOTES: Readonly<Record<keyof typeof LOG_FIELDS, FieldNote>> = {
  time: text('When, in ISO 8601, UTC.'),
  level: text('trace, debug, info, warn, error or fatal.'),
  message: text('A sentence.'),
  service: text('Service that says so.'),
  version: text('Its version.'),
  error: { type: 'object', meaning: 'What was thrown: type, message, stack, and the code where it has one.' },
  traceId: text('Trace of the frame or job that the line is about.'),
  link: text('Link of the frame.'),
  sequence: int('frames', 'Number of the frame in its link.'),
  address: text('Where a service serves gRPC.'),
  code: text('google.rpc.Code of a failed frame, by name.'),
  cause: text('Why it failed, in a word: causes of errors, below.'),
  suppressed: int('lines', 'Lines like this one that were left out since the last.'),
  admin: text('Where a service serves gRPC for control, when that is elsewhere.'),
  metrics: text('Where a service serves /metrics.'),
  links: int('links', 'How many links something was done to.'),
  channelModel: text('Model that a channel was set to.'),
  snrDb: double('dB', 'SNR that a channel was set to.'),
  budget: { type: 'object', meaning: 'Link budget that a channel was set to.' },
  defaultChannel: { type: 'boolean', meaning: 'Whether the default channel was among what was restored.' },
  scenario: text('Name of a scenario.'),
  state: text('State of a scenario.'),
  detach: { type: 'boolean', meaning: 'Whether a scenario goes on when its caller has gone.' },
  steps: int('steps', 'Steps of a scenario.'),
  detail: text('More about a state.'),
  set: text('Set of knowledge.'),
  kind: text('Kind of a fault in knowledge.'),
  worker: int('', 'Number of a worker, from 0.'),
  workers: int('workers', 'How many workers serve.'),
  status: text('Exit status of a worker, or the signal that ended it.'),
  delayMs: int('ms', 'When it is started again.'),
  backend: text('Library that computes the models.'),
  device: text('What the models are computed on: cpu or gpu.'),
};
