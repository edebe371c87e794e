import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../shared/build/compiled.js';
import { SeededViews } from '../../shared/data/augment.js';
import { type Cifar10Images, loadCifar10 } from '../../shared/data/cifar10.js';
import { loadKnowledge } from './stored-knowledge.js';

const SHIPPED = path.join(projectRoot, 'shared', 'knowledge', 'cifar10');
let training: Cifar10Images;
beforeAll(async () => {
  training = await loadCifar10('train');
});

describe('the shipped knowledge', () => {
  it('has distributions that sum to 1, flatter at a higher temperature, of the views that its seed gives', async () => {
    const knowledge = await loadKnowledge(SHIPPED, training, training.count);
    expect(knowledge).toMatchObject({ views: 10, classes: 10 });
    const views = new SeededViews(1);
    const at1 = new Float32Array(10);
    const at4 = new Float32Array(10);
    for (let image = 0; image < training.count; image += 1237) {
      for (let view = 0; view < 10; view++) {
        expect(knowledge.viewOf(image, view)).toEqual(views.viewOf(image, view));
        knowledge.restore(image, view, 1, at1, 0);
        knowledge.restore(image, view, 4, at4, 0);
        for (const p of [at1, at4]) expect(p.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
        expect(Math.max(...at4)).toBeLessThanOrEqual(Math.max(...at1) + 1e-6);
        expect(at4.indexOf(Math.max(...at4))).toBe(at1.indexOf(Math.max(...at1)));
      }
    }
  });

  it('knows its images: the teacher is right about nearly all of them', async () => {
    const knowledge = await loadKnowledge(SHIPPED, training, training.count);
    const p = new Float32Array(10);
    let right = 0;
    for (let image = 0; image < training.count; image++) {
      knowledge.restore(image, 0, 1, p, 0);
      if (p.indexOf(Math.max(...p)) === training.labels[image]) right++;
    }
    expect(right / training.count).toBeGreaterThan(0.98);
  });

  it('is refused for other images, and where it does not reach', async () => {
    const changed = { ...training, images: training.images.slice() };
    changed.images[12_345] = 255 - changed.images[12_345]!;
    await expect(loadKnowledge(SHIPPED, changed, 100)).rejects.toThrow('is knowledge of another data set');
    await expect(loadKnowledge(SHIPPED, training, 45_001)).rejects.toThrow('covers the first 45000 images');
  });
});
