/**
 * Every name that leaves a service in a metric, a span or a log line: the telemetry schema. Nothing else spells one.
 *
 * Metrics follow the Prometheus rules: base units (seconds, bytes), the unit as suffix, counters end in `_total`.
 */

/** The services of the chain, in the order a frame passes them. */
export const SERVICES = ['transmitter-encoder', 'channel-emulator', 'receiver-decoder'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** Every service that reports: those of the chain, and those beside it. */
export const ALL_SERVICES = [...SERVICES, 'teacher-cache', 'console'] as const;
export type InstrumentedService = (typeof ALL_SERVICES)[number];

/** Jobs: they end by themselves, and report while they run where they are told to. */
export const JOBS = ['distiller', 'teacher'] as const;
export type JobName = (typeof JOBS)[number];

/** All of the chain. */
const EVERYWHERE = SERVICES;
const KNOWLEDGE = ['teacher-cache'] as const;
const DISTILLER = ['distiller'] as const;
const TEACHER = ['teacher'] as const;

// Half a millisecond (embedded, one image) to 30 s (a queue that has filled), about 2.5 steps an octave pair.
const LATENCY_BUCKETS = [
  0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
const STAGE_BUCKETS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30];
const AGE_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const AIR_BUCKETS = [0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30];
const STEP_BUCKETS = [0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10];
const POWERS_OF_TWO = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const CONFIDENCE_BUCKETS = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1];
const BIT_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/** Label of metrics by SNR: where a 2 dB step begins, dB. The first is everything below -12, the last all from 20 on. */
export const SNR_STEPS = [
  '-inf',
  '-12',
  '-10',
  '-8',
  '-6',
  '-4',
  '-2',
  '0',
  '2',
  '4',
  '6',
  '8',
  '10',
  '12',
  '14',
  '16',
  '18',
  '20',
] as const;

/** Label of metrics by k: the lengths of the published models; every other is `other`. */
export const LENGTHS = ['2', '4', '8', '16', '32', '64', '128', 'other'] as const;

/** Why a frame was answered by an error: `FrameError.cause`, and the label; also what each means. */
export const ERROR_CAUSES = {
  invalid_frame: 'The frame, or the policy it was to follow, can never work.',
  unknown_model: 'No such model here.',
  duplicate: 'Another frame with its link and sequence was in flight.',
  queue_full: 'A bounded queue had no room.',
  queue_timeout: 'It waited too long for the engine.',
  air_busy: 'Too much of its link, or for too long, was on the air already.',
  air_lost: 'The channel lost it, as channels do.',
  channel_setup: 'The channel of its link cannot carry frames as it is set.',
  peer_down: 'The next service was out of reach or broke off.',
  peer_silent: 'The next service, or an outside channel, did not answer in time.',
  cancelled: 'Nobody waited for its answer any more.',
  internal: 'A fault of the service that says so; its log has the cause.',
} as const;
export type ErrorCause = keyof typeof ERROR_CAUSES;

/** What is given up without any frame being without its answer. */
export const DROPS = {
  stray_answer: 'An answer to a frame that was not in flight any more.',
  recheck: 'The second look at a frame, because the engine was busy.',
} as const;
export type Drop = keyof typeof DROPS;

export interface MetricDefinition {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** Of the value: seconds, bytes, dB, or what is counted. */
  readonly unit: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, in `unit`; histograms only. */
  readonly buckets?: readonly number[];
  /** Each bucket tells the trace of the last sampled frame in it, to those who ask for OpenMetrics. */
  readonly exemplars?: true;
  /** Services and jobs that serve it. */
  readonly services: readonly (InstrumentedService | JobName)[];
}

/** Served where a service runs as several workers, by the process that runs them, beside the workers' own. */
export const WORKER_METRICS = {
  up: {
    name: 'semlink_worker_up',
    help: 'Whether the metrics of a worker are among these: 1, or 0 while it is away.',
    labels: ['worker'],
  },
  restarts: {
    name: 'semlink_worker_restarts_total',
    help: 'How often a worker ended without being told to and was started again.',
    labels: ['worker'],
  },
} as const;

export const METRICS = {
  endToEndLatency: {
    name: 'semlink_end_to_end_latency_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'From the capture of an image until its answer passed this service.',
    labels: [],
    buckets: LATENCY_BUCKETS,
    exemplars: true,
    services: EVERYWHERE,
  },
  network: {
    name: 'semlink_network_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'What no stage accounts for of the time from the capture of an image until its answer is back at the transmitter: transport, message batching, event loops.',
    labels: [],
    buckets: LATENCY_BUCKETS,
    exemplars: true,
    services: ['transmitter-encoder'],
  },
  stage: {
    name: 'semlink_stage_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'How long one stage of this service held a frame.',
    labels: ['stage'],
    buckets: STAGE_BUCKETS,
    exemplars: true,
    services: EVERYWHERE,
  },
  frames: {
    name: 'semlink_frames_total',
    type: 'counter',
    unit: 'frames',
    help: 'Frames answered through this service, by link and outcome (result or error).',
    labels: ['link', 'outcome'],
    services: EVERYWHERE,
  },
  errors: {
    name: 'semlink_errors_total',
    type: 'counter',
    unit: 'frames',
    help: 'Frames answered by an error, by google.rpc.Code, by the service that said so and by why.',
    labels: ['code', 'origin', 'cause'],
    services: EVERYWHERE,
  },
  labelled: {
    name: 'semlink_labelled_total',
    type: 'counter',
    unit: 'frames',
    help: 'Classified frames whose true label was known; accuracy is semlink_correct_total over this.',
    labels: ['link'],
    services: EVERYWHERE,
  },
  correct: {
    name: 'semlink_correct_total',
    type: 'counter',
    unit: 'frames',
    help: 'Classified frames whose most probable class was the true label.',
    labels: ['link'],
    services: EVERYWHERE,
  },
  labelledBySnr: {
    name: 'semlink_labelled_by_snr_total',
    type: 'counter',
    unit: 'frames',
    help: 'Classified frames whose true label was known, by the SNR on the air and by k.',
    labels: ['snr_from_db', 'k'],
    services: ['receiver-decoder'],
  },
  correctBySnr: {
    name: 'semlink_correct_by_snr_total',
    type: 'counter',
    unit: 'frames',
    help: 'Classified frames whose most probable class was the true label, by the SNR on the air and by k.',
    labels: ['snr_from_db', 'k'],
    services: ['receiver-decoder'],
  },
  labelledByModel: {
    name: 'semlink_labelled_by_model_total',
    type: 'counter',
    unit: 'frames',
    help: 'Classified frames whose true label was known, by the model that encoded and decoded them.',
    labels: ['model'],
    services: ['receiver-decoder'],
  },
  correctByModel: {
    name: 'semlink_correct_by_model_total',
    type: 'counter',
    unit: 'frames',
    help: 'Classified frames whose most probable class was the true label, by model: how a canary does beside the rest.',
    labels: ['model'],
    services: ['receiver-decoder'],
  },
  confidenceByModel: {
    name: 'semlink_confidence_by_model_ratio',
    type: 'histogram',
    unit: '1',
    help: 'Probability that the decoder gave to the class it answered, by model; its count is the answers of each.',
    labels: ['model'],
    buckets: CONFIDENCE_BUCKETS,
    services: ['receiver-decoder'],
  },
  confidence: {
    name: 'semlink_confidence_ratio',
    type: 'histogram',
    unit: '1',
    help: 'Probability that the decoder gave to the class it answered.',
    labels: [],
    buckets: CONFIDENCE_BUCKETS,
    services: ['receiver-decoder'],
  },
  rechecked: {
    name: 'semlink_rechecked_total',
    type: 'counter',
    unit: 'frames',
    help: 'Frames decoded a second time as if the channel were 3 dB worse: the sample that semlink_disagreed_total is of.',
    labels: ['link'],
    services: ['receiver-decoder'],
  },
  disagreed: {
    name: 'semlink_disagreed_total',
    type: 'counter',
    unit: 'frames',
    help: 'Rechecked frames whose second answer was another class; over semlink_rechecked_total it tells of accuracy where no labels are known.',
    labels: ['link'],
    services: ['receiver-decoder'],
  },
  semanticBits: {
    name: 'semlink_semantic_bits',
    type: 'histogram',
    unit: 'bits',
    help: 'Semantic information rate: the most bits that the received symbols of one image can tell of it, the sum of log2(1 + |h|^2 / N0) over its symbols.',
    labels: [],
    buckets: BIT_BUCKETS,
    services: ['receiver-decoder'],
  },
  channelUses: {
    name: 'semlink_channel_uses',
    type: 'histogram',
    unit: 'complex channel uses',
    help: 'k: complex channel uses spent on one image.',
    labels: [],
    buckets: POWERS_OF_TWO,
    services: EVERYWHERE,
  },
  snr: {
    name: 'semlink_snr_db',
    type: 'gauge',
    unit: 'dB',
    help: 'Average Es/N0 on the air, from the latest answer of the link.',
    labels: ['link'],
    services: EVERYWHERE,
  },
  payloadBytes: {
    name: 'semlink_payload_bytes_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes of symbols sent over the air, by link.',
    labels: ['link'],
    services: EVERYWHERE,
  },
  receivedBytes: {
    name: 'semlink_received_bytes_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes of pixels or symbols in the frames this service received.',
    labels: [],
    services: EVERYWHERE,
  },
  feedbackAge: {
    name: 'semlink_feedback_age_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Age of the channel state that a rate decision relied on.',
    labels: [],
    buckets: AGE_BUCKETS,
    services: ['transmitter-encoder'],
  },
  rateDecisions: {
    name: 'semlink_rate_decisions_total',
    type: 'counter',
    unit: 'frames',
    help: 'Frames by link, by the number of channel uses chosen and by why.',
    labels: ['link', 'k', 'reason'],
    services: ['transmitter-encoder'],
  },
  airTime: {
    name: 'semlink_air_time_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time of one frame on the air, k over the symbol rate of its link; of links in real time.',
    labels: [],
    buckets: AIR_BUCKETS,
    services: ['channel-emulator'],
  },
  airWait: {
    name: 'semlink_air_wait_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'How long a frame waited until earlier ones of its link had left the air; only frames that did, in real time.',
    labels: [],
    buckets: AIR_BUCKETS,
    services: ['channel-emulator'],
  },
  airLost: {
    name: 'semlink_air_lost_total',
    type: 'counter',
    unit: 'frames',
    help: 'Frames the air did not carry: erased by the channel, or refused because the air of the link was taken (queue_full).',
    labels: ['link', 'reason'],
    services: ['channel-emulator'],
  },
  feedback: {
    name: 'semlink_feedback_total',
    type: 'counter',
    unit: 'reports',
    help: 'Reports of channel state on their way back, by what became of them: delivered, lost, or overflow.',
    labels: ['fate'],
    services: ['channel-emulator'],
  },
  channelChanges: {
    name: 'semlink_channel_changes_total',
    type: 'counter',
    unit: 'changes',
    help: 'Changes of what is set for links, by what made them: set, reset, scenario or restore.',
    labels: ['by'],
    services: ['channel-emulator'],
  },
  channelWatchers: {
    name: 'semlink_channel_watchers',
    type: 'gauge',
    unit: 'streams',
    help: 'Open WatchChannel streams.',
    labels: [],
    services: ['channel-emulator'],
  },
  symbolWatchers: {
    name: 'semlink_symbol_watchers',
    type: 'gauge',
    unit: 'streams',
    help: 'Open WatchSymbols streams.',
    labels: [],
    services: ['channel-emulator'],
  },
  symbolSamples: {
    name: 'semlink_symbol_samples_total',
    type: 'counter',
    unit: 'frames',
    help: 'Frames shown to who watches symbols.',
    labels: [],
    services: ['channel-emulator'],
  },
  linksKnown: {
    name: 'semlink_links_known',
    type: 'gauge',
    unit: 'links',
    help: 'Links whose position is remembered.',
    labels: [],
    services: ['channel-emulator'],
  },
  scenariosRunning: {
    name: 'semlink_scenarios_running',
    type: 'gauge',
    unit: 'scenarios',
    help: 'Scenarios running or paused.',
    labels: [],
    services: ['channel-emulator'],
  },
  framesHeld: {
    name: 'semlink_air_held',
    type: 'gauge',
    unit: 'items',
    help: 'Frames on the air and reports on their way back, measured at the scrape.',
    labels: [],
    services: ['channel-emulator'],
  },
  queueBytes: {
    name: 'semlink_queue_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Bytes waiting in a bounded queue, measured at the scrape.',
    labels: ['queue'],
    services: ALL_SERVICES,
  },
  queueLimit: {
    name: 'semlink_queue_limit_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'What a queue holds at most; of queues with one limit for all who wait.',
    labels: ['queue'],
    services: ['transmitter-encoder', 'receiver-decoder', 'teacher-cache'],
  },
  batchSize: {
    name: 'semlink_batch_size',
    type: 'histogram',
    unit: 'frames',
    help: 'Frames that went through the engine together.',
    labels: [],
    buckets: POWERS_OF_TWO,
    services: ['transmitter-encoder', 'receiver-decoder'],
  },
  batches: {
    name: 'semlink_batches_total',
    type: 'counter',
    unit: 'batches',
    help: 'Batches given to the engine, by what closed them: idle (the engine was free), preferred or full (a size), delay.',
    labels: ['closed_by'],
    services: ['transmitter-encoder', 'receiver-decoder'],
  },
  engineInfo: {
    name: 'semlink_engine_info',
    type: 'gauge',
    unit: '1',
    help: 'Always 1; what computes the models of this service, and on what.',
    labels: ['backend', 'device'],
    services: ['transmitter-encoder', 'receiver-decoder'],
  },
  tensorsAlive: {
    name: 'semlink_tensors_alive',
    type: 'gauge',
    unit: 'tensors',
    help: 'TensorFlow tensors held between batches by the threads of the engine, where more than 0 is a leak; by a training run in all.',
    labels: [],
    services: ['transmitter-encoder', 'receiver-decoder', 'distiller'],
  },
  gpuMemory: {
    name: 'semlink_gpu_memory_used_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory of each GPU that is in use, by whatever uses it; no samples where there is no GPU.',
    labels: ['gpu'],
    services: ['transmitter-encoder', 'receiver-decoder', 'distiller'],
  },
  gpuBusy: {
    name: 'semlink_gpu_busy_ratio',
    type: 'gauge',
    unit: '1',
    help: 'Share of the last moments in which each GPU computed something; no samples where there is no GPU.',
    labels: ['gpu'],
    services: ['transmitter-encoder', 'receiver-decoder', 'distiller'],
  },
  dropped: {
    name: 'semlink_dropped_total',
    type: 'counter',
    unit: 'items',
    help: 'What was given up without a frame being without its answer, by what it was.',
    labels: ['what'],
    services: EVERYWHERE,
  },
  streamsOpen: {
    name: 'semlink_streams_open',
    type: 'gauge',
    unit: 'streams',
    help: 'Open streams of frames or knowledge: served (to whoever called) and called (to the next hop).',
    labels: ['side'],
    services: ALL_SERVICES,
  },
  ready: {
    name: 'semlink_ready',
    type: 'gauge',
    unit: '1',
    help: '1 while the service takes frames, else 0.',
    labels: [],
    services: ALL_SERVICES,
  },
  draining: {
    name: 'semlink_draining',
    type: 'gauge',
    unit: '1',
    help: '1 from the signal to stop until the end, else 0.',
    labels: [],
    services: ALL_SERVICES,
  },
  buildInfo: {
    name: 'semlink_build_info',
    type: 'gauge',
    unit: '1',
    help: 'Always 1; which service or job and version this is.',
    labels: ['service', 'version'],
    services: [...ALL_SERVICES, ...JOBS],
  },
  consolePages: {
    name: 'semlink_console_pages',
    type: 'gauge',
    unit: 'pages',
    help: 'Open pages of the console.',
    labels: [],
    services: ['console'],
  },
  consoleUpdates: {
    name: 'semlink_console_updates_total',
    type: 'counter',
    unit: 'updates',
    help: 'Updates for open pages: sent, or skipped because the page had not read those before.',
    labels: ['outcome'],
    services: ['console'],
  },
  knowledgeRecords: {
    name: 'semlink_knowledge_records_total',
    type: 'counter',
    unit: 'records',
    help: 'Records of knowledge handed out, by call (stream or get).',
    labels: ['call'],
    services: KNOWLEDGE,
  },
  knowledgeBytes: {
    name: 'semlink_knowledge_bytes_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes of knowledge: sent (records to trainers), received (shards from teachers), read (from the store).',
    labels: ['direction'],
    services: KNOWLEDGE,
  },
  knowledgeBlocks: {
    name: 'semlink_knowledge_blocks_total',
    type: 'counter',
    unit: 'blocks',
    help: 'Blocks that were needed: hit (in memory) and miss (read from the store).',
    labels: ['outcome'],
    services: KNOWLEDGE,
  },
  knowledgeStoreReads: {
    name: 'semlink_knowledge_store_read_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'How long one range read of the store took.',
    labels: [],
    buckets: STAGE_BUCKETS,
    services: KNOWLEDGE,
  },
  knowledgeCalls: {
    name: 'semlink_knowledge_call_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'How long one call took; of a stream, until its first message.',
    labels: ['call'],
    buckets: STAGE_BUCKETS,
    services: KNOWLEDGE,
  },
  knowledgeShards: {
    name: 'semlink_knowledge_shards_total',
    type: 'counter',
    unit: 'shards',
    help: 'Shards that teachers sent: stored, known (there already) and refused.',
    labels: ['outcome'],
    services: KNOWLEDGE,
  },
  knowledgeFaults: {
    name: 'semlink_knowledge_faults_total',
    type: 'counter',
    unit: 'faults',
    help: 'Faults met in stored knowledge, by kind; none of it was handed out.',
    labels: ['kind'],
    services: KNOWLEDGE,
  },
  jobProgress: {
    name: 'semlink_job_progress_ratio',
    type: 'gauge',
    unit: '1',
    help: 'How much of the job is done, 0 to 1; steps of a training run, views of teaching.',
    labels: [],
    services: JOBS,
  },
  jobRemaining: {
    name: 'semlink_job_remaining_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'How long the job still takes at the rate of this sitting.',
    labels: [],
    services: JOBS,
  },
  jobPhase: {
    name: 'semlink_job_phase',
    type: 'gauge',
    unit: '1',
    help: '1 for what the job is doing (starting, training, looking, calibrating, teaching, done), 0 for what it has done.',
    labels: ['phase'],
    services: JOBS,
  },
  trainingImages: {
    name: 'semlink_training_images_total',
    type: 'counter',
    unit: 'images',
    help: 'Images trained on in this sitting, each as often as it was seen.',
    labels: [],
    services: DISTILLER,
  },
  trainingSteps: {
    name: 'semlink_training_step_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'How long one step of training took.',
    labels: [],
    buckets: STEP_BUCKETS,
    services: DISTILLER,
  },
  trainingEpoch: {
    name: 'semlink_training_epoch',
    type: 'gauge',
    unit: 'epochs',
    help: 'Epochs done, with the share of the one at hand.',
    labels: [],
    services: DISTILLER,
  },
  trainingEpochs: {
    name: 'semlink_training_epochs',
    type: 'gauge',
    unit: 'epochs',
    help: 'Epochs that the run has when nothing stops it early.',
    labels: [],
    services: DISTILLER,
  },
  trainingLoss: {
    name: 'semlink_training_loss_nats',
    type: 'gauge',
    unit: 'nats',
    help: 'Terms of the loss, averaged over about the last 20 steps: task (labels), auxiliary, and teacher (KL divergence).',
    labels: ['term'],
    services: DISTILLER,
  },
  trainingSemanticBits: {
    name: 'semlink_training_semantic_bits',
    type: 'gauge',
    unit: 'bits',
    help: 'Semantic information rate an image, averaged like the loss; 0 where groups are of one.',
    labels: [],
    services: DISTILLER,
  },
  trainingAccuracy: {
    name: 'semlink_training_accuracy_ratio',
    type: 'gauge',
    unit: '1',
    help: 'Share of training images answered right over the whole range of channels, averaged like the loss.',
    labels: [],
    services: DISTILLER,
  },
  trainingHoldout: {
    name: 'semlink_training_holdout_accuracy_ratio',
    type: 'gauge',
    unit: '1',
    help: 'Share of held-out images answered right at the latest look, by channel and length.',
    labels: ['point'],
    services: DISTILLER,
  },
  trainingLearningRate: {
    name: 'semlink_training_learning_rate',
    type: 'gauge',
    unit: '1',
    help: 'Learning rate of the latest epoch.',
    labels: [],
    services: DISTILLER,
  },
  teachingViews: {
    name: 'semlink_teaching_views_total',
    type: 'counter',
    unit: 'views',
    help: 'Views that the teacher was asked about in this sitting.',
    labels: [],
    services: TEACHER,
  },
} as const satisfies Record<string, MetricDefinition>;

/** What is measured of every process, by prom-client under the names that Node.js services have everywhere. */
export const PROCESS_METRICS = [
  {
    name: 'process_cpu_user_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Processor time of the process in its own code, its engine threads included.',
    labels: [],
  },
  {
    name: 'process_cpu_system_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Processor time of the process in the kernel.',
    labels: [],
  },
  {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Processor time of the process: user and system together.',
    labels: [],
  },
  {
    name: 'process_start_time_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'When the process started, since the Unix epoch.',
    labels: [],
  },
  {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory of the process that is in RAM.',
    labels: [],
  },
  {
    name: 'process_open_fds',
    type: 'gauge',
    unit: 'file descriptors',
    help: 'Open files and sockets.',
    labels: [],
  },
  {
    name: 'nodejs_eventloop_lag_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'How late the event loop is, measured at the scrape.',
    labels: [],
  },
  {
    name: 'nodejs_eventloop_lag_p50_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'Median time between ticks of a timer of 10 ms since the scrape before: 0.01 is no lag.',
    labels: [],
  },
  {
    name: 'nodejs_eventloop_lag_p99_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: '99th percentile of the time between ticks of a timer of 10 ms since the scrape before: 0.01 is no lag.',
    labels: [],
  },
  {
    name: 'nodejs_heap_size_total_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: "Size of JavaScript's heap.",
    labels: [],
  },
  {
    name: 'nodejs_heap_size_used_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: "Of JavaScript's heap, what is used.",
    labels: [],
  },
  {
    name: 'nodejs_external_memory_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory of buffers outside the heap.',
    labels: [],
  },
  {
    name: 'nodejs_gc_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Pauses of the garbage collector, by kind.',
    labels: ['kind'],
  },
] as const satisfies readonly Omit<MetricDefinition, 'services'>[];

/** Stages a frame is timed in, with the field of `StageTimings` and the service that owns them. */
export const STAGES = {
  encode_queue: {
    field: 'encodeQueueNanos',
    service: 'transmitter-encoder',
    meaning: 'Waiting for a batch of the encoder.',
  },
  encode: { field: 'encodeNanos', service: 'transmitter-encoder', meaning: 'Encoding of the batch.' },
  channel: { field: 'channelNanos', service: 'channel-emulator', meaning: 'In the emulator, the air included.' },
  decode_queue: {
    field: 'decodeQueueNanos',
    service: 'receiver-decoder',
    meaning: 'Waiting for a batch of the decoder.',
  },
  decode: { field: 'decodeNanos', service: 'receiver-decoder', meaning: 'Equalising and decoding of the batch.' },
} as const satisfies Record<string, { field: string; service: ServiceName; meaning: string }>;
export type Stage = keyof typeof STAGES;

/** Stands for label values beyond a bound, or that are not of the known ones. */
export const OTHER = 'other';

/** Spans of one frame. All but the root are short and recorded after the fact. */
export const SPANS = {
  /** Client: from capture to answer. The root of the frame's trace. */
  send: 'semlink.send',
  /** Transmitter: from taking the frame to its answer; everything that happens to it lies under it and within it. */
  transmit: 'semlink.transmit',
  /** Transmitter: from taking the frame to having its symbols. */
  encode: 'semlink.encode',
  /** Channel emulator: from taking the symbols to having sent them on. */
  propagate: 'semlink.propagate',
  /** Receiver: from taking the symbols to having the answer. */
  decode: 'semlink.decode',
  /** Zero-length mark of a stream's opening, which frames link to; a stream itself is never a span. */
  stream: 'semlink.stream',
  /** A training run, `semlink train` or `semlink distill`. The root of the job's trace. */
  distill: 'semlink.distill',
  /** Of a training run: reading what a teacher has said, from a store. */
  readKnowledge: 'semlink.knowledge.read',
  /** Of a training run: one pass over the images, or what is left of it. */
  epoch: 'semlink.distill.epoch',
  /** Of a training run: accuracy over length, SNR and channel on held-out images. */
  calibrate: 'semlink.distill.calibrate',
  /** Of a training run: writing the model into its folder. */
  publishModel: 'semlink.distill.publish',
  /** One worker of `semlink teach`. The root of the job's trace. */
  teach: 'semlink.teach',
  /** Of teaching: one shard, asked of the teacher and stored. */
  shard: 'semlink.teach.shard',
  /** Of a shard: storing it. */
  storeShard: 'semlink.teach.store',
  /** Of teaching: publishing the set, if no shard of it is missing. */
  publishKnowledge: 'semlink.teach.publish',
  /** Teacher-cache: one call, under the job that called. */
  knowledgeCall: 'semlink.knowledge.call',
} as const;
export type SpanName = (typeof SPANS)[keyof typeof SPANS];

/** Span attributes. */
export const ATTRIBUTES = {
  service: 'semlink.service',
  link: 'semlink.link.id',
  sequence: 'semlink.frame.sequence',
  channelUses: 'semlink.channel_uses',
  snrDb: 'semlink.snr_db',
  channelModel: 'semlink.channel.model',
  modelVersion: 'semlink.model.version',
  rateReason: 'semlink.rate.reason',
  batchSize: 'semlink.batch.size',
  queueSeconds: 'semlink.queue_seconds',
  payloadBytes: 'semlink.payload_bytes',
  label: 'semlink.label',
  correct: 'semlink.correct',
  errorCode: 'semlink.error.code',
  errorOrigin: 'semlink.error.origin',
  peer: 'semlink.peer',
  rpc: 'rpc.method',
  seed: 'semlink.seed',
  images: 'semlink.images',
  views: 'semlink.views',
  teacher: 'semlink.teacher',
  knowledgeSet: 'semlink.knowledge.set',
  records: 'semlink.knowledge.records',
  bytes: 'semlink.bytes',
  epoch: 'semlink.epoch',
  step: 'semlink.step',
  loss: 'semlink.loss',
  semanticBits: 'semlink.semantic_bits',
  accuracy: 'semlink.accuracy',
  imagesPerSecond: 'semlink.images_per_second',
  points: 'semlink.calibration.points',
  firstImage: 'semlink.shard.first_image',
  /** Of a worker: i/n. */
  share: 'semlink.teach.share',
  outcome: 'semlink.outcome',
} as const;

/** Fields of a log line. */
export const LOG_FIELDS = {
  time: 'time',
  level: 'level',
  message: 'message',
  service: 'service',
  version: 'version',
  error: 'error',
  traceId: 'trace_id',
  link: 'link',
  sequence: 'sequence',
  address: 'address',
  /** google.rpc.Code of a failed frame, by name. */
  code: 'code',
  /** Why it failed, in a word. */
  cause: 'cause',
  /** Lines like this one that were left out since the last. */
  suppressed: 'suppressed',
  /** Addresses of what else a service serves. */
  admin: 'admin',
  metrics: 'metrics',
  /** Links that something was done to; a number. */
  links: 'links',
  /** What a channel was set to. */
  channelModel: 'model',
  snrDb: 'snr_db',
  budget: 'budget',
  /** Whether the default channel was among what was restored. */
  defaultChannel: 'default_channel',
  scenario: 'scenario',
  state: 'state',
  detach: 'detach',
  steps: 'steps',
  detail: 'detail',
  /** Workers of a service, and which of them; how it ended, and when it is started again. */
  workers: 'workers',
  worker: 'worker',
  status: 'status',
  delayMs: 'delay_ms',
  /** Set of knowledge, and the kind of a fault in it. */
  set: 'set',
  kind: 'kind',
  /** What computes the models, and on what. */
  backend: 'backend',
  device: 'device',
} as const;
export type LogField = (typeof LOG_FIELDS)[keyof typeof LOG_FIELDS];

/** google.rpc.Code by number. */
export const CODE_NAMES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;
