import type { LabelledImages, TrainingKnowledge } from '../../../services/distiller/batches.js';
import type { Teacher } from '../../../services/teacher/teacher.js';
import { type ImageView, PLAIN_VIEW, SeededViews, writeView } from '../../../shared/data/augment.js';

/**
 * What training is without stored knowledge: the teacher is asked about each batch just before the step that learns
 * from it. To the trainer it is a data set of one batch whose images, views and answers are others before every step.
 */
export class TeacherInLoop implements TrainingKnowledge {
  readonly views = 1;
  readonly classes: number;
  /** The batch at hand, of the same arrays for ever: what the trainer is to be given. */
  readonly images: LabelledImages;
  readonly #all: LabelledImages;
  readonly #teacher: Teacher;
  readonly #mostOfACall: number;
  readonly #seeded: SeededViews;
  readonly #viewed: Uint8Array;
  readonly #viewOf: ImageView[];
  readonly #probabilities: Float32Array;
  #shown = 0;

  /** @param mostOfACall images that the teacher takes at once */
  constructor(
    all: LabelledImages,
    teacher: Teacher,
    options: { batchSize: number; mostOfACall: number; seed: number },
  ) {
    const { batchSize } = options;
    const { width, height } = all;
    this.classes = teacher.classes;
    this.images = {
      rgb: new Uint8Array(batchSize * width * height * 3),
      labels: new Uint8Array(batchSize),
      count: batchSize,
      width,
      height,
    };
    this.#all = all;
    this.#teacher = teacher;
    this.#mostOfACall = options.mostOfACall;
    this.#seeded = new SeededViews(options.seed);
    this.#viewed = new Uint8Array(this.images.rgb.length);
    this.#viewOf = new Array<ImageView>(batchSize).fill(PLAIN_VIEW);
    this.#probabilities = new Float32Array(batchSize * teacher.classes);
  }

  /** Takes the next images of the data set, a view of each, and asks the teacher about them. */
  async next(): Promise<void> {
    const { images, classes } = this;
    const size = images.width * images.height * 3;
    for (let i = 0; i < images.count; i++) {
      const image = this.#shown % this.#all.count;
      // Later epochs show other views; view 0 would be the plain image.
      const view = this.#seeded.viewOf(image, 1 + Math.floor(this.#shown / this.#all.count));
      this.#shown++;
      images.rgb.set(this.#all.rgb.subarray(image * size, (image + 1) * size), i * size);
      images.labels[i] = this.#all.labels[image]!;
      this.#viewOf[i] = view;
      writeView(images.rgb, i * size, images, view, this.#viewed, i * size);
    }
    for (let first = 0; first < images.count; first += this.#mostOfACall) {
      const count = Math.min(this.#mostOfACall, images.count - first);
      const rgb = this.#viewed.subarray(first * size, (first + count) * size);
      const { probabilities } = await this.#teacher.predict(rgb, count);
      this.#probabilities.set(probabilities, first * classes);
    }
  }

  viewOf(image: number): ImageView {
    return this.#viewOf[image]!;
  }

  restore(image: number, _view: number, temperature: number, out: Float32Array, to: number): void {
    let sum = 0;
    for (let c = 0; c < this.classes; c++) {
      const p = this.#probabilities[image * this.classes + c]! ** (1 / temperature);
      out[to + c] = p;
      sum += p;
    }
    for (let c = 0; c < this.classes; c++) out[to + c]! /= sum;
  }
}
