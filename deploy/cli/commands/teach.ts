import { z } from 'zod';
import { CacheTarget } from '../../../services/teacher/cache-target.js';
import { openTeacher } from '../../../services/teacher/ensemble.js';
import { FeatureProjection } from '../../../services/teacher/projection.js';
import { readTeacherSpec, TEACHER_FORMS } from '../../../services/teacher/spec.js';
import { StoreTarget } from '../../../services/teacher/store-target.js';
import {
  type KnowledgeTarget,
  teach as runTeacher,
  type TeachingOptions,
  type TeachingProgress,
} from '../../../services/teacher/teach.js';
import { KnowledgeClient } from '../../../shared/client/knowledge.js';
import {
  type ConfigOf,
  defineConfig,
  isTarget,
  loadConfigOrExit,
  option,
  TARGET_RANGE,
} from '../../../shared/config/index.js';
import { augmentation } from '../../../shared/data/augment.js';
import { cifar10DataSet, cifar100DataSet, type LabelledDataSet } from '../../../shared/data/labelled-images.js';
import { describeKnowledge, IMAGES_PER_SHARD } from '../../../shared/knowledge/description.js';
import { s3Group } from '../../../shared/knowledge/s3-options.js';
import { openStore } from '../../../shared/knowledge/store.js';
import { tlsFields } from '../../../shared/rpc/tls.js';
import {
  ATTRIBUTES,
  JobSpan,
  jobTelemetryFields,
  SPANS,
  startJobTelemetry,
  startTracing,
  TeachingMetrics,
} from '../../../shared/telemetry/index.js';
import type { Command } from '../command.js';
import { ProgressLine } from '../progress-line.js';

const definition = defineConfig({
  name: 'teach',
  usage: 'semlink teach',
  description:
    'Asks a large model about every view of every image once and stores what it says; training then never needs it. Stopped or killed, the same command goes on where it was.',
  fields: {
    teacher: option(z.string().min(1), { description: `The large model: ${TEACHER_FORMS}.`, placeholder: 'SPEC' }),
    dataset: option(z.enum(['cifar10', 'cifar100']).default('cifar10'), {
      description: 'Data set; CIFAR-100 with its 100 fine classes.',
    }),
    data: option(z.string().optional(), {
      description:
        "Folder with train.bin and test.bin of CIFAR-100's binary version, which you bring; default: cifar100 in the cache folder.",
      placeholder: 'FOLDER',
    }),
    verify: option(z.boolean().default(true), {
      description: 'Only the published images of CIFAR-100 will do; without it, any in the same layout.',
    }),
    split: option(z.enum(['train', 'holdout', 'test']).default('train'), {
      description: 'Part of it; only train is for learning.',
    }),
    images: option(z.int().min(1).optional(), { description: 'Only the first so many images; default: all.' }),
    views: option(z.int().min(1).max(65_535).default(10), {
      description: 'Views of each image; the first is the image itself, the others are shifted and flipped.',
    }),
    blendShare: option(z.number().min(0).max(1).default(0), {
      description:
        'Share of the views, the first left out, through which another image shines (mixup): what a teacher says of those tells a student more.',
    }),
    k: option(z.int().min(1).max(255).optional(), {
      description: 'Most probable classes stored a view; default: 4 of CIFAR-10, 7 of CIFAR-100 (14 and 23 bytes).',
    }),
    seed: option(
      z
        .int()
        .min(0)
        .max(2 ** 32 - 1)
        .default(1),
      { description: 'Seed of the views.' },
    ),
    feature: option(z.int().min(0).max(65_536).default(0), {
      description: "Values of the teacher's projected feature stored a view; 0: none.",
    }),
    store: option(z.string().min(1).optional(), {
      description:
        'Where the set is stored, a folder or s3://bucket/prefix that is all its own; default: shared/knowledge/DATASET.',
      placeholder: 'URL',
    }),
    s3: s3Group(),
    teacherCache: option(z.string().refine(isTarget, `expected ${TARGET_RANGE}`).optional(), {
      description: 'Store through the teacher-cache that runs there instead, as the set that --set names.',
      placeholder: 'HOST:PORT[,...]',
      range: TARGET_RANGE,
    }),
    ...tlsFields(),
    set: option(z.string().optional(), {
      description: "Name of the set in the teacher-cache; default: the data set's.",
    }),
    shard: option(
      z
        .string()
        .regex(/^\d{1,6}\/[1-9]\d{0,5}$/, 'use i/n, for example 0/4')
        .refine((text) => Number(text.split('/')[0]) < Number(text.split('/')[1]), 'i must be below n')
        .default('0/1'),
      {
        description: 'Does only part i of n, i from 0: for workers side by side; the last to end publishes the set.',
        range: 'i/n with 0 <= i < n',
        placeholder: 'I/N',
      },
    ),
    imagesPerShard: option(z.int().min(1).max(10_000_000).default(IMAGES_PER_SHARD), {
      description: 'Images of a stored file, the unit of work that a kill cannot undo.',
    }),
    threads: option(z.int().min(1).max(256).default(1), { description: 'Threads of the model.' }),
    ...jobTelemetryFields(),
  },
  check: ({ dataset, data, verify }) => {
    if (dataset === 'cifar100' || (data === undefined && verify)) return undefined;
    return '--data and --no-verify are for --dataset cifar100: the set-up fetches CIFAR-10 and checks it.';
  },
});

type TeachConfig = ConfigOf<typeof definition>;

/** Classes stored a view where nothing else is asked for: what fits into 16 and 24 bytes. */
const TOP_K = { cifar10: 4, cifar100: 7 } as const;

/** Exit status of a command that was stopped by a signal, as a shell has it. */
const STOPPED = 130;

export const teach: Command = {
  async run(argv) {
    const { config } = loadConfigOrExit(definition, argv);
    const progress = new ProgressLine(process.stderr);
    const say = (sentence: string): void => {
      progress.clear();
      process.stderr.write(`${sentence}\n`);
    };
    const stop = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

    const metrics = new TeachingMetrics();
    const telemetry = await startJobTelemetry(config.metrics.listen, metrics);
    if (telemetry.url) say(`metrics at ${telemetry.url}`);
    const tracing = await startTracing({ serviceName: 'teacher' });
    const job = JobSpan.start('teacher', SPANS.teach);
    const spec = await readTeacherSpec(config.teacher);
    const data = await openDataSet(config);
    const teacher = await openTeacher(spec, { width: data.width, height: data.height, threads: config.threads });
    if (teacher.classes !== data.classes) {
      throw new Error(`${spec.name} knows ${teacher.classes} classes, ${data.name} has ${data.classes}`);
    }
    if (config.feature > 0 && teacher.featureSize === 0) {
      throw new Error(`--feature ${config.feature}: ${spec.name} gives no feature; name it as "features" in its JSON`);
    }
    const knowledge = describeKnowledge({
      dataSet: { ...data, images: data.count },
      teacher,
      augmentation: augmentation(config.seed, config.blendShare),
      images: config.images ?? data.count,
      views: config.views,
      topK: config.k ?? TOP_K[config.dataset],
      featureSize: config.feature,
      imagesPerShard: config.imagesPerShard,
    });
    const [index, of] = config.shard.split('/').map(Number);
    const { target, place, close } = await openTarget(config, say);
    say(
      `${spec.name} teaches ${knowledge.images} images of ${data.name}, ${config.views} views each, ${knowledge.recordBytes} bytes a view, into ${place}`,
    );
    metrics.enter('teaching');
    job.set({
      [ATTRIBUTES.teacher]: spec.name,
      [ATTRIBUTES.knowledgeSet]: place,
      [ATTRIBUTES.images]: knowledge.images,
      [ATTRIBUTES.views]: knowledge.views,
      [ATTRIBUTES.seed]: config.seed,
      [ATTRIBUTES.share]: config.shard,
    });
    const options: TeachingOptions = {
      knowledge,
      data,
      teacher,
      projection: config.feature > 0 ? new FeatureProjection(teacher.featureSize, config.feature) : undefined,
      batch: spec.batch,
      share: { index: index!, of: of! },
      target,
      reporter: {
        say,
        progress(now) {
          metrics.taught(now.batch);
          metrics.progress(now.done / now.total, now.secondsLeft);
          progress.update(progressText(now), now.done / now.total);
        },
      },
      stop: stop.signal,
      job,
    };
    const result = await job
      .around(async () => {
        const outcome = await runTeacher(options);
        job.set({ [ATTRIBUTES.outcome]: outcome });
        return outcome;
      })
      // A run that fails is one to be looked at, too.
      .finally(() => tracing.stop(5_000));
    metrics.enter('done');
    await telemetry.close();
    await teacher.close();
    close();
    progress.clear();
    if (result === 'published') say(`published ${place}`);
    else if (result === 'share-done') say(`part ${config.shard} is done; the set is published when all parts are`);
    else say('stopped; the same command goes on from here');
    return result === 'stopped' ? STOPPED : 0;
  },
};

function openDataSet({ dataset, split, data, verify }: TeachConfig): Promise<LabelledDataSet> {
  return dataset === 'cifar10' ? cifar10DataSet(split) : cifar100DataSet(split, { folder: data, verify });
}

async function openTarget(
  config: TeachConfig,
  say: (sentence: string) => void,
): Promise<{ target: KnowledgeTarget; place: string; close: () => void }> {
  if (config.teacherCache !== undefined) {
    const client = new KnowledgeClient({ address: config.teacherCache, tls: config.tls });
    const set = config.set ?? config.dataset;
    const place = `"${set}" at ${config.teacherCache}`;
    return { target: new CacheTarget(client, set), place, close: () => client.close() };
  }
  const place = config.store ?? `shared/knowledge/${config.dataset}`;
  const store = await openStore(place, config.s3);
  const removed = await store.removeAbandoned();
  if (removed > 0) say(`removed ${removed} unfinished files of writers that were killed`);
  return { target: new StoreTarget(store, say), place, close: () => store.close() };
}

function progressText({ done, total, viewsPerSecond, secondsLeft }: TeachingProgress): string {
  const minutes = Math.floor(secondsLeft / 60);
  const left = minutes > 0 ? `${minutes} min` : `${Math.ceil(secondsLeft)} s`;
  return `${done}/${total} views, ${viewsPerSecond.toFixed(0)} views/s, ${left} left`;
}
