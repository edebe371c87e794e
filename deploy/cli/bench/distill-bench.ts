import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { type DistillerConfig, distillerConfig } from '../../../services/distiller/config.js';
import { loadConfig } from '../../../shared/config/index.js';
import { loadCifar10 } from '../../../shared/data/cifar10.js';
import { KnowledgeSet } from '../../../shared/knowledge/knowledge-set.js';
import { setSize } from '../../../shared/knowledge/set-size.js';
import { openStore } from '../../../shared/knowledge/store.js';
import { loadTensorFlow, nativeBackend, setTensorFlowEnvironment } from '../../../shared/tensor/native.js';
import { median } from './channel-bench.js';
import { type Contender, pythonContender, storedContender, teacherContender } from './training-contenders.js';

/** Ways to train that are measured, in the order of a round. */
export type Way = 'labels' | 'cached' | 'teacher_in_loop' | 'python_tensorflow';

export interface DistillBenchOptions {
  readonly size: DistillerConfig['size'];
  readonly batchSize: number;
  readonly precision: DistillerConfig['precision'];
  readonly images: number;
  readonly seed: number;
  readonly threads: number;
  readonly knowledge: string;
  readonly teacher: string | undefined;
  /** Of an image, of the teacher that is made where none is named. */
  readonly gflop: number;
  readonly python: string | undefined;
  readonly rounds: number;
  /** Of one measurement; with the teacher in the loop, `teacherSteps`. */
  readonly steps: number;
  readonly teacherSteps: number;
  readonly onProgress: (text: string, share: number) => void;
  readonly stop: AbortSignal;
}

/** Ratios of images a second: medians over the rounds, each of two measurements of one round. */
interface Ratios {
  cached_over_labels: number;
  cached_over_teacher_in_loop: number;
  /** Both on labels; only where a Python was given. */
  tfjs_over_python_tensorflow?: number;
}

export interface DistillBench extends Ratios {
  /** The same, with processor time instead of the clock: on a machine that has other work too. */
  by_processor_time: Ratios;
  images_per_second: Partial<Record<Way, number>>;
  images_per_processor_second: Partial<Record<Way, number>>;
  /** Images a second in each round. */
  rounds: Partial<Record<Way, number[]>>;
  bytes_per_view: { stored: number; dense: number };
  knowledge: { data_set: string; teacher: string; views: number; top_k: number };
  /** gflop: of an image, null where only the owner of the teacher knows. */
  teacher: { name: string; gflop: number | null; random_weights: boolean };
  settings: Record<string, unknown>;
  machine: Record<string, unknown>;
}

/** Passes that no measurement reaches, so that the schedule of the learning rate has no end. */
const EPOCHS = 10_000;
const WARM_UP_STEPS = 2;

/**
 * Measures real training steps of the distiller: on labels, on stored knowledge, with a teacher in the loop, and, where a
 * Python is given, of the same network in Python TensorFlow. They take turns, round by round, so that a busy moment of
 * the machine meets them all.
 *
 * @throws DOMException when stopped; Error with a sentence when something that is needed is missing
 */
export async function benchDistill(options: DistillBenchOptions): Promise<DistillBench> {
  setTensorFlowEnvironment(options.threads);
  const config = distillerSettings(options);
  const training = await loadCifar10('train');
  const folder = await mkdtemp(path.join(tmpdir(), 'semlink-bench-'));
  const open: Contender[] = [];
  const enter = async <C extends Contender>(what: string, made: () => Promise<C>): Promise<C> => {
    options.stop.throwIfAborted();
    options.onProgress(`preparing ${what}`, 0);
    const contender = await made();
    open.push(contender);
    return contender;
  };
  try {
    const size = await sizeOfKnowledge(options.knowledge);
    const labels = await enter('training on labels', () => storedContender(config, training));
    const cached = await enter('training on stored knowledge', () =>
      storedContender(config, training, options.knowledge),
    );
    const { teacher: asked, gflop, python } = options;
    const taught = await enter('the teacher', () => teacherContender(config, training, { asked, gflop, folder }));
    const { parameters } = labels;
    const peer =
      python === undefined
        ? undefined
        : await enter('Python', () => pythonContender(config, training, { python, parameters, folder }));
    const contenders = new Map<Way, Contender>([
      ['labels', labels],
      ['cached', cached],
      ['teacher_in_loop', taught],
      ...(peer ? [['python_tensorflow', peer] as const] : []),
    ]);
    const load = loadavg()[0]!;
    const { clock, processor } = await measure(contenders, options);
    return {
      ...ratios(clock),
      by_processor_time: ratios(processor),
      images_per_second: medians(clock),
      images_per_processor_second: medians(processor),
      rounds: Object.fromEntries(clock),
      ...size,
      teacher: {
        name: taught.teacher.name,
        gflop: taught.teacher.gflop ?? null,
        random_weights: asked === undefined,
      },
      settings: {
        size: options.size,
        parameters,
        batch_size: config.batchSize,
        precision: config.precision,
        images: config.images,
        seed: config.seed,
        threads: config.threads,
        rounds: options.rounds,
        steps: options.steps,
        teacher_steps: options.teacherSteps,
        training: config,
      },
      machine: {
        processor: cpus()[0]?.model ?? 'unknown',
        cores: cpus().length,
        load_average: load,
        gpu: nativeBackend(loadTensorFlow()).isUsingGpuDevice,
        node: process.versions.node,
        tensorflow: nativeBackend(loadTensorFlow()).binding.TF_Version,
        ...(peer && { python_tensorflow: peer.ready.tensorflow, python_gpu: peer.ready.gpu }),
      },
    };
  } finally {
    for (const contender of open) await contender.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function distillerSettings(options: DistillBenchOptions): DistillerConfig {
  const { size, batchSize, precision, images, seed, threads } = options;
  const { config } = loadConfig(distillerConfig, {
    overrides: { size, batchSize, precision, images, seed, threads, epochs: EPOCHS },
  });
  return config!;
}

async function sizeOfKnowledge(url: string): Promise<Pick<DistillBench, 'bytes_per_view' | 'knowledge'>> {
  const store = await openStore(url);
  try {
    const set = await KnowledgeSet.open(store);
    const { bytesPerView, denseBytesPerView } = await setSize(store, set);
    const { dataSet, teacher, views, topK } = set.description;
    return {
      bytes_per_view: { stored: bytesPerView, dense: denseBytesPerView },
      knowledge: { data_set: dataSet!.name, teacher: teacher!.name, views, top_k: topK },
    };
  } finally {
    store.close();
  }
}

/** Images a second of each way to train, one value a round. */
type Rates = Map<Way, number[]>;

async function measure(
  contenders: ReadonlyMap<Way, Contender>,
  { rounds, steps, teacherSteps, batchSize, onProgress, stop }: DistillBenchOptions,
): Promise<{ clock: Rates; processor: Rates }> {
  const clock: Rates = new Map([...contenders.keys()].map((way) => [way, []]));
  const processor: Rates = new Map([...contenders.keys()].map((way) => [way, []]));
  for (let round = -1; round < rounds; round++) {
    for (const [i, [way, contender]] of [...contenders].entries()) {
      stop.throwIfAborted();
      const text = round < 0 ? 'warming up' : `round ${round + 1}/${rounds}`;
      onProgress(`${text}: ${way}`, (Math.max(round, 0) + i / contenders.size) / rounds);
      const due = way === 'teacher_in_loop' ? teacherSteps : steps;
      const { seconds, processorSeconds } = await contender.advance(round < 0 ? Math.min(WARM_UP_STEPS, due) : due);
      if (round < 0) continue;
      clock.get(way)!.push((due * batchSize) / seconds);
      processor.get(way)!.push((due * batchSize) / processorSeconds);
      // A signal is heard between steps that hold this thread.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return { clock, processor };
}

function ratios(rates: Rates): Ratios {
  const ratio = (above: Way, below: Way): number =>
    median(rates.get(above)!.map((rate, round) => rate / rates.get(below)![round]!));
  return {
    cached_over_labels: ratio('cached', 'labels'),
    cached_over_teacher_in_loop: ratio('cached', 'teacher_in_loop'),
    ...(rates.has('python_tensorflow') && { tfjs_over_python_tensorflow: ratio('labels', 'python_tensorflow') }),
  };
}

function medians(rates: Rates): Partial<Record<Way, number>> {
  return Object.fromEntries([...rates].map(([way, values]) => [way, median(values)]));
}
