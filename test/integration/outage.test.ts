import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startServiceProcess } from '../../deploy/local/processes.js';
import { SemanticLink } from '../../shared/client/link.js';
import { Code } from '../../shared/rpc/errors.js';
import { SERVICES } from '../../shared/telemetry/index.js';
import { errorOf, sendAll, type TestImage, testImages } from './link.fixture.js';
import {
  expectNamedErrors,
  type RestartableLink,
  startRestartableLink,
  untilWorking,
} from './restartable-link.fixture.js';

/** Images of one run, and after how many answers the service is killed. */
const total = 3_000;
const killAfter = 800;

let images: TestImage[];
let local: RestartableLink;
beforeAll(async () => {
  [images, local] = await Promise.all([testImages(total), startRestartableLink(10_000)]);
});
afterAll(() => local?.killAll());

beforeEach(() => local.restartAll());

describe.each([...SERVICES])('the %s killed while images are under way', (role) => {
  it('leaves no image without an answer, and the link works again when it is back', { timeout: 60_000 }, async () => {
    const service = local.running[role];
    const link = local.open(`kill.${role}`);
    const answers = await sendAll(link, images, (count) => {
      if (count === killAfter) service.process.kill('SIGKILL');
    });
    expect(await service.ended).toBe('SIGKILL');
    const errors = expectNamedErrors(answers, service);
    expect(answers.length - errors).toBeGreaterThanOrEqual(killAfter);
    expect(errors).toBeGreaterThan(0);
    const origin = { 'transmitter-encoder': 'client', 'channel-emulator': 'transmitter-encoder' };
    const expected = { ...origin, 'receiver-decoder': 'channel-emulator' }[role];
    for (const { result } of answers) expect(errorOf(result)?.origin ?? expected).toBe(expected);

    await local.restart(role);
    await untilWorking(link, images[0]!);
    const after = await sendAll(link, images.slice(0, 200));
    expect(after.filter(({ result }) => errorOf(result))).toEqual([]);
    await link.close();
  });
});

describe('a receiver-decoder that is not there from the beginning', () => {
  it('has every image answered by its name within seconds; when it comes, images are classified', {
    timeout: 60_000,
  }, async () => {
    const { address } = local.running['receiver-decoder'];
    await local.running['receiver-decoder'].stop();
    // An emulator and a transmitter that have never seen it.
    const emulator = await startServiceProcess(
      'channel-emulator',
      ['--listen', '127.0.0.1:0', '--metrics-listen', 'off', '--receiver', address],
      { onLog: () => {} },
    );
    const transmitter = await startServiceProcess(
      'transmitter-encoder',
      ['--listen', '127.0.0.1:0', '--metrics-listen', 'off', '--channel', emulator.address],
      { onLog: () => {} },
    );
    const link = new SemanticLink({ address: transmitter.address, linkId: 'early' });
    try {
      const start = performance.now();
      const answers = await sendAll(link, images.slice(0, 1_000));
      // The default wait of 2 s, once.
      expect(performance.now() - start).toBeLessThan(15_000);
      for (const { result } of answers) {
        expect(errorOf(result)).toMatchObject({
          code: Code.UNAVAILABLE,
          origin: 'channel-emulator',
          message: `receiver-decoder at ${address} is not reachable (connect ECONNREFUSED ${address}); check that it runs there`,
        });
        // It cost the air all the same.
        expect(result.channelUses).toBeGreaterThan(0);
      }
      await local.restart('receiver-decoder');
      await untilWorking(link, images[0]!);
      const after = await sendAll(link, images.slice(0, 200));
      expect(after.filter(({ result }) => errorOf(result))).toEqual([]);
    } finally {
      await link.close();
      expect(await transmitter.stop()).toBe(0);
      expect(await emulator.stop()).toBe(0);
    }
  });
});
