/** What a teacher-cache that is killed in the middle of an upload leaves in its store, and who clears it away. */
import { readdir, utimes } from 'node:fs/promises';
import path from 'node:path';
import { create } from '@bufbuild/protobuf';
import { afterAll, describe, expect, it } from 'vitest';
import { type ServiceProcess, startServiceProcess } from '../../deploy/local/processes.js';
import { KnowledgeClient } from '../../shared/client/knowledge.js';
import {
  PutKnowledgeRequestSchema,
  ShardBeginSchema,
  TeacherCacheService,
} from '../../shared/gen/semlink/v1/teacher_cache_pb.js';
import { ABANDONED_MS } from '../../shared/knowledge/abandoned.js';
import { sampleDescription, sampleShards, temporaryStore } from '../../shared/knowledge/sample-set.fixture.js';
import { verifyKnowledge } from '../../shared/knowledge/verify.js';
import { createRpcClient } from '../../shared/rpc/client.js';
import { Code } from '../../shared/rpc/errors.js';

const root = await temporaryStore();
const knowledge = sampleDescription();
const shards = sampleShards(knowledge);
const started: ServiceProcess<'teacher-cache'>[] = [];
let log = '';
afterAll(() => {
  for (const { process } of started) process.kill('SIGKILL');
});

async function start(): Promise<ServiceProcess<'teacher-cache'>> {
  const flags = ['--listen', '127.0.0.1:0', '--metrics-listen', 'off', '--store', root.url];
  const onLog = (line: string) => {
    log += line;
  };
  const one = await startServiceProcess('teacher-cache', flags, { onLog });
  started.push(one);
  return one;
}

/** Begins an upload and sends half a shard; resolves when that has come to the disk. */
async function beginUpload(address: string, set: string) {
  const rpc = createRpcClient(TeacherCacheService, { address });
  const { call, response } = rpc.putKnowledge();
  const { entry, file } = shards[0]!;
  const chunk = (value: Uint8Array) => create(PutKnowledgeRequestSchema, { part: { case: 'chunk', value } });
  const begin = create(ShardBeginSchema, { set, knowledge, shard: entry });
  call.write(create(PutKnowledgeRequestSchema, { part: { case: 'begin', value: begin } }));
  call.write(chunk(file.subarray(0, 500)));
  await expect.poll(() => unfinished(set), { timeout: 20_000 }).toHaveLength(1);
  const outcome = response.catch((error: unknown) => error).finally(() => rpc.close());
  const finish = () => {
    call.write(chunk(file.subarray(500)));
    call.end();
    return outcome;
  };
  return { finish, outcome };
}

async function unfinished(set: string): Promise<string[]> {
  const names = await readdir(path.join(root.url, set)).catch(() => []);
  return names.filter((name) => name.startsWith('.unfinished'));
}

async function lastWritten(set: string, msAgo: number): Promise<void> {
  const [name] = await unfinished(set);
  const time = new Date(Date.now() - msAgo);
  await utimes(path.join(root.url, set, name!), time, time);
}

describe('a teacher-cache that is killed while it takes a shard', { timeout: 60_000 }, () => {
  it('leaves a piece that the next one to start removes once it is certainly dead, and only then', async () => {
    const killed = await start();
    const cut = await beginUpload(killed.address, 'cut');
    killed.process.kill('SIGKILL');
    expect(await killed.ended).toBe('SIGKILL');
    expect(await cut.outcome).toBeInstanceOf(Error);

    // It may be another's, on another machine, that still writes.
    await lastWritten('cut', ABANDONED_MS - 60_000);
    const next = await start();
    const slow = await beginUpload(next.address, 'slow');
    expect(await unfinished('cut')).toHaveLength(1);

    await lastWritten('cut', ABANDONED_MS + 1_000);
    const last = await start();
    await expect.poll(() => unfinished('cut'), { timeout: 20_000 }).toEqual([]);
    await expect.poll(() => log).toContain('removed 1 unfinished files');
    // What others write at the time is left alone.
    expect(await unfinished('slow')).toHaveLength(1);
    expect(await slow.finish()).toMatchObject({ stored: 1 });

    const client = new KnowledgeClient({ address: last.address });
    for (const { entry, file } of shards) await client.put('cut', knowledge, entry, file);
    client.close();
    expect((await verifyKnowledge(root.below('cut'))).faults).toEqual([]);
    for (const one of [next, last]) expect(await one.stop()).toBe(0);
  });

  it('tells a writer whose piece was removed that it has to send it again', async () => {
    const service = await start();
    const stalled = await beginUpload(service.address, 'stalled');
    await lastWritten('stalled', ABANDONED_MS + 1_000);
    expect(await root.removeAbandoned()).toBe(1);
    expect(await stalled.finish()).toMatchObject({
      code: Code.ABORTED,
      message: expect.stringMatching(/write it again/),
    });
    const names: string[] = [];
    for await (const name of root.below('stalled').list()) names.push(name);
    expect(names).toEqual([]);
    expect(await service.stop()).toBe(0);
  });
});
