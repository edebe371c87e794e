import { readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { augmentation } from '../data/augment.js';
import type { KnowledgeDescription } from '../gen/semlink/v1/knowledge_pb.js';
import type { KnowledgeFaultKind } from './fault.js';
import { FolderStore } from './folder-store.js';
import { KnowledgeSet } from './knowledge-set.js';
import { MANIFEST, storedShards } from './publish.js';
import { readAllRecords } from './record-stream.js';
import {
  sampleDescription,
  samplePlan,
  sampleShards,
  sha256Of,
  temporaryStore,
  writeSampleSet,
} from './sample-set.fixture.js';
import { shardFile, shardRanges } from './shard.js';
import { verifyKnowledge } from './verify.js';

let store: FolderStore;
let knowledge: KnowledgeDescription;
let files: string[];
const at = (name: string): string => path.join(store.url, name);

beforeEach(async () => {
  store = await temporaryStore();
  knowledge = await writeSampleSet(store);
  files = shardRanges(knowledge).map(shardFile);
});

/** Reads all of the set as a trainer would. A store of its own, which has no file open. */
async function train(): Promise<Uint8Array> {
  return readAllRecords(await KnowledgeSet.open(new FolderStore(store.url)));
}

/** That the fault is found by verification and by training, and that both name the file. */
async function expectFault(kind: KnowledgeFaultKind | readonly KnowledgeFaultKind[], file: string): Promise<void> {
  const kinds = [kind].flat();
  const { faults } = await verifyKnowledge(new FolderStore(store.url));
  expect(faults.length).toBeGreaterThan(0);
  expect(kinds).toContain(faults[0]!.kind);
  expect(faults[0]!.message).toContain(file);
  const error = await train().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: 'SemlinkError' });
  expect(kinds).toContain((error as { kind: KnowledgeFaultKind }).kind);
  expect((error as Error).message).toContain(file);
}

describe('a sound set', () => {
  it('is found sound, and reads as it was written', async () => {
    expect(await verifyKnowledge(store)).toEqual({ shards: 3, records: 150, faults: [] });
    const written = sampleShards(knowledge).flatMap(({ layout, file }) =>
      Array.from({ length: layout.blocks }, (_, block) => {
        const { offset, length } = layout.rangeOfBlock(block);
        return [...file.subarray(offset, offset + length - 16)];
      }),
    );
    expect([...(await train())]).toEqual(written.flat());
  });
});

describe('a fault is found and named, and never trained on:', () => {
  it('any flipped bit of a shard', async () => {
    const original = await readFile(at(files[1]!));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: original.length * 8 - 1 }), async (bit) => {
        const damaged = Buffer.from(original);
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        await writeFile(at(files[1]!), damaged);
        const { faults, shards } = await verifyKnowledge(store);
        expect(shards).toBe(2);
        expect(faults.map((fault) => fault.kind)).toEqual([
          bit < 64 ? 'foreign' : expect.stringMatching(/damaged|truncated/),
        ]);
        expect(faults[0]!.message).toContain(files[1]);
        // The footer is for whoever has the file alone; reading by range does not come by there.
        if (bit < (original.length - 24) * 8) await expect(train()).rejects.toThrow(files[1]);
      }),
      { numRuns: 60 },
    );
  });

  it('any flipped bit of the manifest that changes what it says', async () => {
    const original = await readFile(at(MANIFEST));
    const before = JSON.stringify(JSON.parse(original.toString()));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: original.length * 8 - 1 }), async (bit) => {
        const damaged = Buffer.from(original);
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        let says: string | undefined;
        try {
          says = JSON.stringify(JSON.parse(damaged.toString()));
        } catch {
          says = undefined;
        }
        fc.pre(says !== before);
        await writeFile(at(MANIFEST), damaged);
        expect((await verifyKnowledge(store)).faults.length).toBeGreaterThan(0);
      }),
      { numRuns: 80 },
    );
  });

  it('a shard cut short anywhere', async () => {
    const original = await readFile(at(files[0]!));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: original.length - 1 }), async (length) => {
        await writeFile(at(files[0]!), original);
        await truncate(at(files[0]!), length);
        await expectFault('truncated', files[0]!);
      }),
      { numRuns: 30 },
    );
  });

  it('a torn write: the right length, and nothing behind some point', async () => {
    const original = await readFile(at(files[2]!));
    for (const share of [0.2, 0.5, 0.9]) {
      const torn = Buffer.from(original);
      torn.fill(0, Math.floor(original.length * share));
      await writeFile(at(files[2]!), torn);
      await expectFault(['damaged', 'foreign'], files[2]!);
    }
  });

  it('a manifest that points to a missing shard', async () => {
    await rm(at(files[1]!));
    await expectFault('missing-shard', files[1]!);
  });

  it('shards that have changed places', async () => {
    await rename(at(files[0]!), at('kept'));
    await rename(at(files[1]!), at(files[0]!));
    await rename(at('kept'), at(files[1]!));
    await expectFault('misplaced', files[0]!);
  });

  it('blocks that have changed places within a shard', async () => {
    const { layout, file } = sampleShards(knowledge)[0]!;
    const swapped = Buffer.from(file);
    const [a, b] = [layout.rangeOfBlock(0), layout.rangeOfBlock(1)];
    swapped.set(file.subarray(b.offset, b.offset + b.length), a.offset);
    swapped.set(file.subarray(a.offset, a.offset + a.length), b.offset);
    await writeFile(at(files[0]!), swapped);
    await expectFault('damaged', files[0]!);
  });

  it.each([
    ['other-data-set', { dataSet: { ...samplePlan().dataSet, sha256: sha256Of('other data') } }],
    ['other-teacher', { teacher: { name: 'another', sha256: sha256Of('another') } }],
    ['other-augmentation', { augmentation: augmentation(8) }],
    ['other-augmentation', { augmentation: augmentation(7, 0.5) }],
    ['misplaced', { topK: 5 }],
  ] as const)('a shard of a set with %s', async (kind, change) => {
    const other = sampleShards(sampleDescription(change))[1]!;
    await writeFile(at(files[1]!), other.file);
    await expectFault(kind, files[1]!);
    await expect(storedShards(store, knowledge)).rejects.toMatchObject({ kind });
  });

  it('a sound shard of the same set that is not the one that was published', async () => {
    const { layout } = sampleShards(knowledge)[1]!;
    await writeFile(at(files[1]!), layout.encode(new Uint8Array(layout.records * layout.recordBytes)));
    const { faults } = await verifyKnowledge(store);
    expect(faults.map(({ kind }) => kind)).toEqual(['misplaced']);
  });

  it('knowledge of another data set, augmentation or teacher than the trainer has', async () => {
    const open = (expected: object) => KnowledgeSet.open(store, { expected });
    const { dataSet, augmentation: views, teacher } = knowledge;
    const right = { dataSetSha256: dataSet!.sha256, augmentationSha256: views!.sha256, teacherSha256: teacher!.sha256 };
    await expect(open(right)).resolves.toBeInstanceOf(KnowledgeSet);
    const wrong = sha256Of('wrong');
    await expect(open({ ...right, dataSetSha256: wrong })).rejects.toMatchObject({ kind: 'other-data-set' });
    await expect(open({ ...right, augmentationSha256: wrong })).rejects.toMatchObject({ kind: 'other-augmentation' });
    await expect(open({ ...right, teacherSha256: wrong })).rejects.toMatchObject({ kind: 'other-teacher' });
  });

  it('a set that was never published, and one of a later format', async () => {
    await rm(at(MANIFEST));
    await expectFault('absent', store.url);
    const later = sampleDescription();
    later.formatVersion = 3;
    const { file } = sampleShards(later)[0]!;
    await writeFile(at(files[0]!), file);
    await expect(storedShards(store, knowledge)).rejects.toMatchObject({ kind: 'foreign' });
  });
});

describe('storedShards', () => {
  it('keeps what is whole and tells what has to be made again', async () => {
    await truncate(at(files[0]!), 100);
    await rm(at(files[2]!));
    const told: string[] = [];
    const stored = await storedShards(store, knowledge, (fault) => told.push(fault.kind));
    expect(stored.map(({ file }) => file)).toEqual([files[1]]);
    expect(told).toEqual(['truncated']);
  });
});
