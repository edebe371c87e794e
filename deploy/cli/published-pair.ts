import type { LabelledImages } from '../../shared/codec/link-evaluation.js';
import { graphFolder, graphPorts, type PublishedModel } from '../../shared/codec/model-folder.js';
import { StagedEncoder } from '../../shared/codec/staged-encoder.js';
import { type Cifar10Split, loadCifar10 } from '../../shared/data/cifar10.js';
import { ModelSession } from '../../shared/tensor/session.js';

/** A published model loaded into this process, ready to be measured. */
export async function publishedPair(model: PublishedModel) {
  const { network } = model.manifest;
  const decoder = new ModelSession(graphFolder(model, 'decoder'), graphPorts(network, 'decoder'));
  return { network, encoder: await StagedEncoder.of(model), decoder };
}

/** The first images of a CIFAR-10 split, all of them by default. */
export async function firstImages(split: Cifar10Split, most?: number): Promise<LabelledImages> {
  const all = await loadCifar10(split);
  const count = Math.min(most ?? all.count, all.count);
  return { images: all.images, labels: all.labels.subarray(0, count), count };
}
