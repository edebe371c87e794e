/** The console as the chart installs it: in a real browser, the link that it finds by its Services, with images going through. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SERVICES } from '../../shared/telemetry/index.js';
import { chromiumPath, figureOf, startBrowser, stateOf } from '../console/console.fixture.js';
import { until } from '../integration/link.fixture.js';
import { clusterWith } from './addons.fixture.js';
import { Namespace } from './jobs.fixture.js';
import { link, Release } from './release.fixture.js';

const there = await clusterWith('namespace/kube-system', 'the console is not tried on one');

describe.runIf(there && chromiumPath)('the console on a cluster', { timeout: 300_000 }, () => {
  const space = new Namespace('semlink-console');
  const release = new Release(space);
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
    await space.make();
    await release.apply({ ...link(true), console: { enabled: true } }, '--wait');
  }, 300_000);
  afterAll(async () => {
    await browser?.close();
    await space.remove();
  }, 150_000);

  it('shows every service up, and images that come back', async () => {
    const [pod] = await space.pods('console');
    const page = await browser.newPage();
    await page.goto(`http://${pod!.status.podIP}:8088/`);
    for (const role of SERVICES) await until(async () => (await stateOf(page, role)) === 'up', 60_000);
    await until(async () => Number((await figureOf(page, 'receiver-decoder', 'frames')).value) > 20, 60_000);
    await until(async () => (await page.locator('#images li[data-outcome="right"]').count()) > 0, 60_000);
    // The pod that takes the place of one that goes is found by its name, and images go on.
    const frames = async () => Number((await figureOf(page, 'receiver-decoder', 'frames')).value);
    const receivers = async () => (await space.pods('receiver-decoder')).map(({ metadata }) => metadata.uid);
    const before = await receivers();
    await space.kubectl('delete', 'pod', '-l', 'app.kubernetes.io/component=receiver-decoder', '--timeout=120s');
    await until(async () => (await receivers()).length === 1, 60_000);
    expect(await receivers()).not.toEqual(before);
    await until(async () => (await stateOf(page, 'receiver-decoder')) === 'up', 60_000);
    const last = await frames();
    await until(async () => (await frames()) !== last, 60_000);
    expect(await stateOf(page, 'transmitter-encoder')).toBe('up');
  });
});
