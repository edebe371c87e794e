import { createHash } from 'node:crypto';
import { create, fromJsonString, toJson } from '@bufbuild/protobuf';
import { type Augmentation, SeededViews } from '../data/augment.js';
import {
  type KnowledgeDataSet,
  type KnowledgeDescription,
  KnowledgeDescriptionSchema,
  type KnowledgeTeacher,
} from '../gen/semlink/v1/knowledge_pb.js';
import { invalidArgument } from '../rpc/errors.js';
import { KnowledgeFault, type KnowledgeFaultKind } from './fault.js';

/**
 * Versions of the format: 2 has blended views, which a reader of version 1 would take for others than they are.
 * Version 1 stays what sets without them are written in.
 */
const formatVersionOf = ({ blendShare }: { blendShare: number }) => (blendShare > 0 ? 2 : 1);
const LATEST_FORMAT = 2;
/** 14 KB of CIFAR-10 records at K = 4: what one range read brings. */
const RECORDS_PER_BLOCK = 1000;
/** The unit of work that survives a kill. */
export const IMAGES_PER_SHARD = 1000;
/** Record ids are 32-bit integers on the wire. */
const MOST_RECORDS = 2 ** 32;

type Fields<M> = Omit<M, '$typeName' | '$unknown'>;

/** What a knowledge set is to hold; everything else follows. */
export interface KnowledgePlan {
  readonly dataSet: Fields<KnowledgeDataSet>;
  readonly teacher: Fields<KnowledgeTeacher>;
  readonly augmentation: Augmentation;
  /** Images covered, from the first on. */
  readonly images: number;
  readonly views: number;
  /** Classes stored a record. */
  readonly topK: number;
  /** Values of the projected feature; 0: none. */
  readonly featureSize?: number;
  readonly imagesPerShard?: number;
}

/**
 * The description of a set.
 *
 * @throws SemlinkError INVALID_ARGUMENT with what to change
 */
export function describeKnowledge(plan: KnowledgePlan): KnowledgeDescription {
  const indexBytes = plan.dataSet.classes <= 256 ? 1 : 2;
  const featureSize = plan.featureSize ?? 0;
  const description = create(KnowledgeDescriptionSchema, {
    formatVersion: formatVersionOf(plan.augmentation),
    dataSet: plan.dataSet,
    teacher: plan.teacher,
    augmentation: plan.augmentation,
    images: plan.images,
    views: plan.views,
    topK: plan.topK,
    indexBytes,
    featureSize,
    recordBytes: 2 + (2 + indexBytes) * plan.topK + (featureSize > 0 ? 4 + featureSize : 0),
    recordsPerBlock: RECORDS_PER_BLOCK,
    imagesPerShard: plan.imagesPerShard ?? IMAGES_PER_SHARD,
  });
  const problem = descriptionProblem(description);
  if (problem) throw invalidArgument(problem.what, problem.value, problem.todo);
  return description;
}

/** What is wrong with a description, in the words of {@link invalidArgument}. */
export function descriptionProblem(
  d: KnowledgeDescription,
): { what: string; value: unknown; todo: string } | undefined {
  const { dataSet, teacher, augmentation } = d;
  const wrong = (what: string, value: unknown, todo: string) => ({ what, value, todo });
  if (d.formatVersion < 1 || d.formatVersion > LATEST_FORMAT) {
    return wrong('format version', d.formatVersion, `this version of SemLink reads versions 1 to ${LATEST_FORMAT}`);
  }
  if (!dataSet || !teacher || !augmentation) {
    return wrong('a description without data set, teacher or augmentation', true, 'all three must be there');
  }
  if (!(augmentation.blendShare >= 0 && augmentation.blendShare <= 1)) {
    return wrong('blend share', augmentation.blendShare, 'use 0 to 1');
  }
  if (d.formatVersion !== formatVersionOf(augmentation)) {
    return wrong('format version', d.formatVersion, `blend share ${augmentation.blendShare} goes with the other one`);
  }
  if (dataSet.classes < 2 || dataSet.classes > 65_536) return wrong('classes', dataSet.classes, 'use 2 to 65536');
  if (dataSet.width < 1 || dataSet.height < 1) {
    return wrong('image size', `${dataSet.width} x ${dataSet.height}`, 'use at least 1 x 1 pixels');
  }
  if (d.images < 1 || d.images > dataSet.images) {
    return wrong('images', d.images, `use 1 to ${dataSet.images}, as many as ${dataSet.name} has`);
  }
  if (d.views < 1 || d.views > 65_535) return wrong('views', d.views, 'use 1 to 65535');
  if (d.images * d.views > MOST_RECORDS) {
    return wrong('images times views', d.images * d.views, `one set holds at most ${MOST_RECORDS} records`);
  }
  const mostK = Math.min(255, dataSet.classes);
  if (d.topK < 1 || d.topK > mostK) return wrong('top K', d.topK, `use 1 to ${mostK}`);
  if (d.featureSize > 65_536) return wrong('feature size', d.featureSize, 'use 0 to 65536');
  const indexBytes = dataSet.classes <= 256 ? 1 : 2;
  const recordBytes = 2 + (2 + indexBytes) * d.topK + (d.featureSize > 0 ? 4 + d.featureSize : 0);
  if (d.indexBytes !== indexBytes) return wrong('index bytes', d.indexBytes, `${indexBytes} follow from the classes`);
  if (d.recordBytes !== recordBytes) return wrong('record bytes', d.recordBytes, `${recordBytes} follow from the rest`);
  if (d.recordsPerBlock < 1 || d.recordsPerBlock * recordBytes > 64 * 1024 ** 2) {
    return wrong('records per block', d.recordsPerBlock, 'a block has 1 record to 64 MiB');
  }
  if (d.imagesPerShard < 1 || d.imagesPerShard * d.views * recordBytes > 2 ** 31) {
    return wrong('images per shard', d.imagesPerShard, 'a shard has 1 image to 2 GiB');
  }
  for (const [what, { sha256 }] of Object.entries({ dataSet, teacher, augmentation })) {
    if (!/^[0-9a-f]{64}$/.test(sha256)) return wrong(`sha256 of ${what}`, sha256, 'use 64 hexadecimal digits');
  }
  return undefined;
}

/** The JSON form of a description: always the same text for the same content. */
export function descriptionJson(description: KnowledgeDescription): string {
  return JSON.stringify(toJson(KnowledgeDescriptionSchema, description));
}

/** Hex SHA-256 of the JSON form. */
export function knowledgeSha256(description: KnowledgeDescription): string {
  return createHash('sha256').update(descriptionJson(description)).digest('hex');
}

/** @throws KnowledgeFault `malformed` or `foreign`, naming `where` */
export function checkDescription(
  description: KnowledgeDescription | undefined,
  where: string,
): asserts description is KnowledgeDescription {
  if (!description) throw new KnowledgeFault('malformed', `${where} does not describe its knowledge; make it anew`);
  const problem = descriptionProblem(description);
  if (!problem) return;
  const kind = description.formatVersion <= LATEST_FORMAT ? 'malformed' : 'foreign';
  throw new KnowledgeFault(kind, `${where}: ${problem.what} is ${String(problem.value)}; ${problem.todo}`);
}

/** Reads the JSON form. @throws Error when it is not that */
export function parseDescription(json: string): KnowledgeDescription {
  return fromJsonString(KnowledgeDescriptionSchema, json);
}

/** What a reader counts on. What is left out does not matter to it. */
export interface ExpectedKnowledge {
  /** Hex SHA-256 of the data set that is trained on. */
  readonly dataSetSha256?: string;
  readonly augmentationSha256?: string;
  readonly teacherSha256?: string;
}

/**
 * Makes sure that knowledge is of the data, the views and the teacher that one has in hand.
 *
 * @throws KnowledgeFault `other-data-set`, `other-augmentation` or `other-teacher`
 */
export function requireKnowledge(description: KnowledgeDescription, expected: ExpectedKnowledge, where: string): void {
  const { dataSet, augmentation, teacher } = description;
  const refuse = (kind: KnowledgeFaultKind, what: string, found: string, wanted: string, todo: string): void => {
    throw new KnowledgeFault(
      kind,
      `${where} is knowledge of another ${what} (${found}) than the one in use (${wanted.slice(0, 12)}); ${todo}`,
    );
  };
  const { dataSetSha256, augmentationSha256, teacherSha256 } = expected;
  if (dataSetSha256 && dataSet!.sha256 !== dataSetSha256) {
    const found = `${dataSet!.name}, ${dataSet!.sha256.slice(0, 12)}`;
    refuse('other-data-set', 'data set', found, dataSetSha256, 'choose the set that was made of this data');
  }
  if (augmentationSha256 && augmentation!.sha256 !== augmentationSha256) {
    const found = `${augmentation!.name} ${augmentation!.version}, seed ${augmentation!.seed}`;
    refuse(
      'other-augmentation',
      'augmentation',
      found,
      augmentationSha256,
      'its views cannot be replayed with this one',
    );
  }
  if (teacherSha256 && teacher!.sha256 !== teacherSha256) {
    const found = `${teacher!.name}, ${teacher!.sha256.slice(0, 12)}`;
    refuse('other-teacher', 'teacher', found, teacherSha256, 'choose another store, or teach anew into an empty one');
  }
}

/** The views of a set's images, blends included. */
export function viewsOf({ augmentation, images }: KnowledgeDescription): SeededViews {
  return new SeededViews(augmentation!.seed, { share: augmentation!.blendShare, images });
}
