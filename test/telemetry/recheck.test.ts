import { afterAll, beforeAll, expect, it } from 'vitest';
import { SemanticLink } from '../../shared/client/link.js';
import {
  accuracyOf,
  killAll,
  sendAll,
  startTestLink,
  type TestImage,
  type TestLink,
  testImages,
} from '../integration/link.fixture.js';

let local: TestLink;
let pictures: TestImage[];
beforeAll(async () => {
  pictures = await testImages(300);
  local = await startTestLink({ 'receiver-decoder': { 'recheck.share': 1 } });
});
afterAll(async () => {
  await local?.stop();
  killAll(Object.values(local?.processes ?? {}));
});

/** Accuracy of 300 images, and the share of answers that the second look changes; both 0 to 1. */
async function look(snrDb: number): Promise<{ accuracy: number; disagreement: number }> {
  const linkId = `at${snrDb}`;
  await local.emulator.setChannel({ linkId, channel: { snrDb, model: { case: 'awgn', value: {} } } });
  const link = new SemanticLink({ address: local.address, linkId, policy: { kind: 'fixed', channelUses: 2 } });
  const answers = await sendAll(link, pictures);
  await link.close();
  const seen = await local.scrape('receiver-decoder');
  expect(seen.value('semlink_rechecked_total', { link: linkId })).toBe(pictures.length);
  return {
    accuracy: accuracyOf(answers),
    disagreement: seen.value('semlink_disagreed_total', { link: linkId })! / pictures.length,
  };
}

it('tells a bad channel from a good one without labels', async () => {
  // Of 1,000 images 60, 90 and 91 % were right, and 45, 9 and 1 % of the answers changed.
  const [bad, fair, good] = [await look(0), await look(8), await look(14)];
  expect(bad.accuracy).toBeLessThan(0.7);
  expect(bad.disagreement).toBeGreaterThan(0.3);
  expect(fair.disagreement).toBeLessThan(0.2);
  expect(good.accuracy).toBeGreaterThan(0.85);
  expect(good.disagreement).toBeLessThan(0.05);
});
