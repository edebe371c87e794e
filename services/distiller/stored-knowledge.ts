import { KnowledgeClient } from '../../shared/client/knowledge.js';
import type { Cifar10Images } from '../../shared/data/cifar10.js';
import { dataSetSha256 } from '../../shared/data/labelled-images.js';
import type { KnowledgeDescription } from '../../shared/gen/semlink/v1/knowledge_pb.js';
import { requireKnowledge, viewsOf } from '../../shared/knowledge/description.js';
import { KnowledgeSet } from '../../shared/knowledge/knowledge-set.js';
import { RecordCodec } from '../../shared/knowledge/record.js';
import { readAllRecords } from '../../shared/knowledge/record-stream.js';
import { openStore, type S3Options } from '../../shared/knowledge/store.js';
import type { TlsConfig } from '../../shared/rpc/tls.js';
import type { TrainingKnowledge } from './batches.js';

/** Stored knowledge in memory, and what the training record says of it. */
export interface LoadedKnowledge extends TrainingKnowledge {
  /** Teacher and set, for the manifest of what is trained with it. */
  readonly origin: { teacher: string; teacherSha256: string; augmentationSha256: string; views: number; topK: number };
}

/** How a set is reached that is not in a folder. */
export interface KnowledgeAccess {
  /** Of an object store. */
  readonly s3?: S3Options | undefined;
  /** Of a teacher-cache; default: plain text. */
  readonly tls?: TlsConfig | undefined;
  /** Span that a teacher-cache is read for. */
  readonly traceparent?: string | undefined;
}

/**
 * Reads what a teacher said about the training images: no teacher runs, and none is loaded.
 *
 * @param url folder, `s3://bucket/prefix` or `grpc://HOST:PORT/SET` (a teacher-cache) of a published set
 * @param training the whole training split; knowledge of other images is refused
 * @param images the first so many are trained on, and must be covered
 * @throws KnowledgeFault naming what is damaged, missing or of other data
 */
export async function loadKnowledge(
  url: string,
  training: Cifar10Images,
  images: number,
  access: KnowledgeAccess = {},
): Promise<LoadedKnowledge> {
  const expected = { dataSetSha256: dataSetSha256(training.images, training.labels) };
  const checked = (description: KnowledgeDescription): void => {
    requireKnowledge(description, expected, url);
    if (description.images < images) {
      throw new Error(
        `${url} covers the first ${description.images} images, and ${images} are to be trained on; ` +
          `teach the others too, or train with --images ${description.images}`,
      );
    }
    if (description.augmentation!.blendShare > 0 && description.images !== images) {
      throw new Error(
        `${url} blends views of ${description.images} images with one another, so it is for training on all of them; ` +
          `use --images ${description.images}`,
      );
    }
  };
  const { description, records } = await (url.startsWith('grpc://')
    ? fromTeacherCache(url, checked, access)
    : fromStore(url, checked, access));
  const codec = new RecordCodec(description);
  const at = (image: number, view: number) => (image * description.views + view) * codec.bytes;
  const seeded = description.augmentation!.blendShare > 0 ? viewsOf(description) : undefined;
  return {
    views: description.views,
    classes: codec.classes,
    viewOf: (image, view) => {
      const stored = codec.viewAt(records, at(image, view));
      const blend = seeded?.viewOf(image, view).blend;
      return blend ? { ...stored, blend } : stored;
    },
    restore: (image, view, temperature, out, to) => codec.restore(records, at(image, view), out, to, temperature),
    origin: {
      teacher: description.teacher!.name,
      teacherSha256: description.teacher!.sha256,
      augmentationSha256: description.augmentation!.sha256,
      views: description.views,
      topK: description.topK,
    },
  };
}

/** A set and all its records, by image, then by view. */
interface WholeSet {
  readonly description: KnowledgeDescription;
  readonly records: Uint8Array;
}

type Check = (description: KnowledgeDescription) => void;

async function fromStore(url: string, check: Check, { s3 }: KnowledgeAccess): Promise<WholeSet> {
  const store = await openStore(url, s3);
  try {
    const set = await KnowledgeSet.open(store);
    check(set.description);
    return { description: set.description, records: await readAllRecords(set) };
  } finally {
    store.close();
  }
}

async function fromTeacherCache(url: string, check: Check, access: KnowledgeAccess): Promise<WholeSet> {
  const [, address, name] = /^grpc:\/\/([^/]+)\/([^/]+)$/.exec(url) ?? [];
  if (!address || !name)
    throw new Error(
      `--knowledge ${url}: a set of a teacher-cache is grpc://HOST:PORT/SET, with commas between several`,
    );
  const client = new KnowledgeClient({ address, tls: access.tls });
  try {
    const description = await client.published(name);
    check(description);
    const records = new Uint8Array(description.images * description.views * description.recordBytes);
    for await (const batch of client.stream(name, {}, access.traceparent)) {
      records.set(batch.records, batch.position * description.recordBytes);
    }
    return { description, records };
  } finally {
    client.close();
  }
}
