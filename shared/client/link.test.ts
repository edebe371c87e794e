import { create } from '@bufbuild/protobuf';
import { afterEach, describe, expect, it } from 'vitest';
import { ListModelsResponseSchema, TransmitterEncoderService } from '../gen/semlink/v1/transmitter_encoder_pb.js';
import { implementService } from '../rpc/adapter.js';
import { Code } from '../rpc/errors.js';
import { startServer } from '../rpc/server.js';
import { SemanticLink } from './link.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const transmitter = implementService(TransmitterEncoderService, {
  transmit: (call) => void call.end(),
  listModels: () => create(ListModelsResponseSchema, { models: [{ version: 'there-now' }] }),
});

async function serve(listen: string): Promise<string> {
  const server = await startServer({
    role: 'transmitter-encoder',
    listen,
    services: [transmitter],
    drainLimitMs: 1_000,
  });
  cleanups.push(() => server.drain());
  return server.address;
}

function linkTo(address: string, reconnectWaitMs: number): SemanticLink {
  const link = new SemanticLink({ address, linkId: 'early', reconnectWaitMs });
  cleanups.push(() => link.close());
  return link;
}

/** Where nobody listens. */
async function vacant(): Promise<string> {
  const address = await serve('127.0.0.1:0');
  await cleanups.pop()!();
  return address;
}

describe('listing the models', () => {
  it('waits for a transmitter that comes later', async () => {
    const address = await vacant();
    const listed = linkTo(address, 20_000).listModels();
    await new Promise((resolve) => setTimeout(resolve, 700));
    await serve(address);
    expect((await listed).map(({ version }) => version)).toEqual(['there-now']);
  });

  it('says that there is none once the time to reconnect is over', async () => {
    const link = linkTo(await vacant(), 300);
    const start = performance.now();
    await expect(link.listModels()).rejects.toMatchObject({ code: Code.UNAVAILABLE });
    expect(performance.now() - start).toBeGreaterThan(290);
  });

  it('waits for a name that nobody knows yet no longer than it is told', async () => {
    const link = linkTo('no-such-host.invalid:50051', 0);
    await expect(link.listModels(300)).rejects.toMatchObject({
      code: Code.UNAVAILABLE,
      message: expect.stringContaining('no-such-host.invalid'),
    });
  });
});
