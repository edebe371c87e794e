import type { Cifar10Images } from '../../shared/data/cifar10.js';
import { dataSetSha256 } from '../../shared/data/labelled-images.js';
import { KnowledgeSet } from '../../shared/knowledge/knowledge-set.js';
import { readAllRecords } from '../../shared/knowledge/record-stream.js';
import { openStore, type S3Options } from '../../shared/knowledge/store.js';
import type { TrainingKnowledge } from './batches.js';

/** Stored knowledge in memory, and what the training record says of it. */
export interface LoadedKnowledge extends TrainingKnowledge {
  /** Teacher and set, for the manifest of what is trained with it. */
  readonly origin: { teacher: string; teacherSha256: string; augmentationSha256: string; views: number; topK: number };
}

/**
 * Reads what a teacher said about the training images: no teacher runs, and none is loaded.
 *
 * @param url folder or `s3://bucket/prefix` of a published set
 * @param training the whole training split; knowledge of other images is refused
 * @param images the first so many are trained on, and must be covered
 * @throws KnowledgeFault naming what is damaged, missing or of other data
 */
export async function loadKnowledge(
  url: string,
  training: Cifar10Images,
  images: number,
  s3: S3Options = {},
): Promise<LoadedKnowledge> {
  const store = await openStore(url, s3);
  try {
    const expected = { dataSetSha256: dataSetSha256(training.images, training.labels) };
    const set = await KnowledgeSet.open(store, { expected });
    const { codec, description } = set;
    if (description.images < images) {
      throw new Error(
        `${url} covers the first ${description.images} images, and ${images} are to be trained on; ` +
          `teach the others too, or train with --images ${description.images}`,
      );
    }
    const records = await readAllRecords(set);
    const at = (image: number, view: number) => (image * description.views + view) * codec.bytes;
    return {
      views: description.views,
      classes: codec.classes,
      viewOf: (image, view) => codec.viewAt(records, at(image, view)),
      restore: (image, view, temperature, out, to) => codec.restore(records, at(image, view), out, to, temperature),
      origin: {
        teacher: description.teacher!.name,
        teacherSha256: description.teacher!.sha256,
        augmentationSha256: description.augmentation!.sha256,
        views: description.views,
        topK: description.topK,
      },
    };
  } finally {
    store.close();
  }
}
