import type { LabelledImages, TrainingKnowledge } from '../../services/distiller/batches.js';
import type { Teacher } from '../../services/teacher/teacher.js';
import { SeededViews, writeView } from '../../shared/data/augment.js';
import { TrainingProgress } from './training-progress.js';

/** A fresh view of every image, and what the teacher says of it, for one pass over the images. */
export class EpochOfTeacher implements TrainingKnowledge {
  readonly views = 1;
  readonly classes: number;
  epoch = -1;
  readonly #images: LabelledImages;
  readonly #teacher: Teacher;
  readonly #seeded: SeededViews;
  readonly #answers: Float32Array;

  constructor(data: LabelledImages, from: Teacher, seed: number) {
    this.classes = from.classes;
    this.#images = data;
    this.#teacher = from;
    this.#seeded = new SeededViews(seed);
    this.#answers = new Float32Array(data.count * from.classes);
  }

  /** Shows the teacher the views of an epoch. A function of (seed, epoch), so that a resumed run has the same. */
  async ask(epoch: number, most: number): Promise<void> {
    const { count, width, height, rgb } = this.#images;
    const size = width * height * 3;
    const shown = new Uint8Array(most * size);
    this.epoch = epoch;
    const progress = new TrainingProgress(`${this.#teacher.name}, epoch ${epoch + 1}`, count, 'images');
    for (let first = 0; first < count; first += most) {
      const now = Math.min(most, count - first);
      for (let i = 0; i < now; i++) {
        writeView(rgb, (first + i) * size, this.#images, this.viewOf(first + i), shown, i * size);
      }
      const { probabilities } = await this.#teacher.predict(shown.subarray(0, now * size), now);
      this.#answers.set(probabilities, first * this.classes);
      progress.at(first + now);
    }
  }

  viewOf(image: number) {
    // View 0 would be the plain image, every time.
    return this.#seeded.viewOf(image, 1 + this.epoch);
  }

  restore(image: number, _view: number, temperature: number, out: Float32Array, to: number): void {
    let sum = 0;
    for (let c = 0; c < this.classes; c++) {
      const p = this.#answers[image * this.classes + c]! ** (1 / temperature);
      out[to + c] = p;
      sum += p;
    }
    for (let c = 0; c < this.classes; c++) out[to + c]! /= sum;
  }
}
