import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { startServiceProcess } from '../../deploy/local/processes.js';
import { projectRoot } from '../../shared/build/compiled.js';
import { augmentation, SeededViews } from '../../shared/data/augment.js';
import { type Cifar10Images, loadCifar10 } from '../../shared/data/cifar10.js';
import { cifar10DataSet } from '../../shared/data/labelled-images.js';
import { sampleDescription, temporaryStore, writeSampleSet } from '../../shared/knowledge/sample-set.fixture.js';
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

  it('comes through a teacher-cache as it lies in the folder', async () => {
    const flags = ['--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0', '--store', path.dirname(SHIPPED)];
    const cache = await startServiceProcess('teacher-cache', flags, { onLog: () => {} });
    try {
      const [near, far] = await Promise.all([
        loadKnowledge(SHIPPED, training, training.count),
        loadKnowledge(`grpc://${cache.address}/cifar10`, training, training.count),
      ]);
      expect(far.origin).toEqual(near.origin);
      const here = new Float32Array(10);
      const there = new Float32Array(10);
      for (let image = 0; image < training.count; image += 37) {
        for (let view = 0; view < 10; view++) {
          near.restore(image, view, 2, here, 0);
          far.restore(image, view, 2, there, 0);
          expect(there).toEqual(here);
          expect(far.viewOf(image, view)).toEqual(near.viewOf(image, view));
        }
      }
      const changed = { ...training, labels: training.labels.slice() };
      changed.labels[7]! ^= 1;
      const url = `grpc://${cache.address}/cifar10`;
      await expect(loadKnowledge(url, changed, 100)).rejects.toThrow('is knowledge of another data set');
      await expect(loadKnowledge(`grpc://${cache.address}/none`, training, 100)).rejects.toThrow('is not there');
      await expect(loadKnowledge(`grpc://${cache.address}`, training, 100)).rejects.toThrow('grpc://HOST:PORT/SET');
    } finally {
      await cache.stop();
    }
  }, 60_000);

  it('is refused for other images, and where it does not reach', async () => {
    const changed = { ...training, images: training.images.slice() };
    changed.images[12_345] = 255 - changed.images[12_345]!;
    await expect(loadKnowledge(SHIPPED, changed, 100)).rejects.toThrow('is knowledge of another data set');
    await expect(loadKnowledge(SHIPPED, training, 45_001)).rejects.toThrow('covers the first 45000 images');
  });

  it('with blended views is replayed with its blends, and only for all of its images', async () => {
    const store = await temporaryStore();
    const dataSet = { ...(await cifar10DataSet('train')), images: training.count };
    const knowledge = sampleDescription({ dataSet, images: 50, views: 4, augmentation: augmentation(7, 0.9) });
    await writeSampleSet(store, knowledge);
    const { viewOf } = await loadKnowledge(store.url, training, 50);
    const seeded = new SeededViews(7, { share: 0.9, images: 50 });
    const views = Array.from({ length: 200 }, (_, i) => [Math.floor(i / 4), i % 4] as const);
    for (const [image, view] of views) expect(viewOf(image, view)).toEqual(seeded.viewOf(image, view));
    expect(views.filter(([image, view]) => viewOf(image, view).blend).length).toBeGreaterThan(100);
    await expect(loadKnowledge(store.url, training, 40)).rejects.toThrow('use --images 50');
  });
});
