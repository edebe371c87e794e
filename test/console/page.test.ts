import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SERVICES, type ServiceName } from '../../shared/telemetry/index.js';
import { until } from '../integration/link.fixture.js';
import { startOtlpReceiver } from '../telemetry/otlp-receiver.js';
import {
  type ConsoleLink,
  chromiumPath,
  figureOf,
  startBrowser,
  startConsoleLink,
  stateOf,
} from './console.fixture.js';

let browser: Browser;
let system: ConsoleLink;
let collector: Awaited<ReturnType<typeof startOtlpReceiver>>;
beforeAll(async () => {
  if (!chromiumPath) return;
  collector = await startOtlpReceiver();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpEndpoint, OTEL_BSP_SCHEDULE_DELAY: '100' };
  [browser, system] = await Promise.all([startBrowser(), startConsoleLink(env)]);
}, 90_000);
afterAll(async () => {
  await browser?.close();
  const clean = await system?.stop();
  await collector?.close();
  if (system) expect(clean).toBe(true);
}, 60_000);

const open: Page[] = [];
const complaints: string[] = [];
afterEach(async () => {
  for (const page of open.splice(0)) await page.context().close();
  // What the page itself says is wrong: an exception, a file that is not there, a violated policy.
  expect(complaints.splice(0)).toEqual([]);
});

async function openPage(options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  open.push(page);
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    const text = message.text();
    if (/^(error|warning)$/.test(message.type()) && !networkChanged.test(text)) complaints.push(text);
  });
  await loaded(page, () => page.goto(system.url));
  return page;
}

/** A Chromium drops what it loads whenever this machine's network changes, as tests with containers beside this one make it. */
const networkChanged = /ERR_NETWORK_CHANGED/;

/** Loads the page until it runs. */
async function loaded(page: Page, load: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await load();
      await until(async () => (await updatesOf(page)) > 3, 10_000);
      return;
    } catch (error) {
      if (tries === 4) throw error;
    }
  }
}

const updatesOf = async (page: Page) => Number(await page.locator('html').getAttribute('data-updates'));
const headline = async (page: Page, id: string) =>
  Number(await page.locator(`#figure-${id}`).getAttribute('data-value'));
const press = async (page: Page, ...keys: string[]) => {
  for (const key of keys) await page.keyboard.press(key);
};

/** Sum of a metric over its labels, as the service serves it. */
async function servedSum(role: ServiceName, name: string, labels: Record<string, string> = {}): Promise<number> {
  const { samples } = await system.link.scrape(role);
  return samples
    .filter((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0);
}

const settings = async () => JSON.parse((await system.link.emulator.getChannel({ linkId: 'console' })).settings);

describe.skipIf(!chromiumPath)('the page of the console', { timeout: 120_000 }, () => {
  it('is told what is new at least 5 times a second', async () => {
    const page = await openPage();
    const before = await updatesOf(page);
    const begun = performance.now();
    await sleep(3_000);
    const perSecond = ((await updatesOf(page)) - before) / ((performance.now() - begun) / 1e3);
    expect(perSecond).toBeGreaterThanOrEqual(5);
  });

  it('shows moving numbers that equal /metrics', async () => {
    const page = await openPage();
    await until(async () => (await stateOf(page, 'receiver-decoder')) === 'up');
    await until(async () => Number((await figureOf(page, 'receiver-decoder', 'frames')).value) > 20, 30_000);
    const first = Number((await figureOf(page, 'receiver-decoder', 'frames')).value);
    await until(async () => Number((await figureOf(page, 'receiver-decoder', 'frames')).value) > first);
    await press(page, 'p');
    // What was under way comes to rest, and one more reading of the metrics follows.
    await sleep(2_500);
    for (const role of SERVICES) {
      const { metric, service, value, text } = await figureOf(page, role, 'frames');
      expect([metric, service]).toEqual(['semlink_frames_total', role]);
      const served = await servedSum(role, 'semlink_frames_total');
      expect(served).toBeGreaterThan(20);
      expect(Number(value)).toBe(served);
      expect(text).toBe(new Intl.NumberFormat('en').format(served));
    }
    const correct = await figureOf(page, 'receiver-decoder', 'correct');
    const served = await servedSum('receiver-decoder', 'semlink_correct_total');
    const labelled = await servedSum('receiver-decoder', 'semlink_labelled_total');
    expect([Number(correct.value), Number(correct.labelled)]).toEqual([served, labelled]);
    expect(correct.text).toBe(`${((100 * served) / labelled).toFixed(1)} %`);
    const snr = await figureOf(page, 'channel-emulator', 'snr');
    expect(Number(snr.value)).toBe(await servedSum('channel-emulator', 'semlink_snr_db', { link: 'console' }));
    expect(Number(snr.value)).toBe(12);
    await press(page, 'p');
    await until(async () => Number((await figureOf(page, 'receiver-decoder', 'frames')).value) > Number(served));
  });

  it('draws images with answers, symbols and charts', async () => {
    const page = await openPage();
    await until(async () => (await page.locator('#images li[data-outcome]').count()) >= 10, 20_000);
    // Right and wrong differ by a mark, not by colour alone.
    for (const tile of await page.locator('#images li[data-outcome]').all()) {
      const mark = { right: '✓', wrong: '✗', failed: '!' }[(await tile.getAttribute('data-outcome'))!]!;
      expect(await tile.locator('.mark').textContent()).toBe(mark);
    }
    /** Colours on a canvas: an empty one has one. */
    const colours = (selector: string) =>
      page.evaluate<number>(`(() => {
        const canvas = document.querySelector('${selector}');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
      })()`);
    for (const canvas of ['#images li canvas', '#plane-sent', '#plane-received', '#powers', '#chart-snr canvas']) {
      expect(await colours(canvas), canvas).toBeGreaterThan(3);
    }
  });

  it('lets the SNR slider move the accuracy', async () => {
    const page = await openPage();
    await page.locator('#policy').selectOption('fixed');
    await page.locator('#uses').selectOption('2');
    const slide = (db: number) =>
      page.evaluate(`(() => {
        const slider = document.getElementById('snr');
        slider.value = '${db}';
        slider.dispatchEvent(new Event('input'));
      })()`);
    await slide(20);
    await until(async () => (await settings()).channel.snrDb === 20);
    // The latest 60 answers: three seconds.
    await until(async () => (await headline(page, 'uses')) === 2, 30_000);
    await until(async () => (await headline(page, 'accuracy')) > 0.75, 30_000);
    await slide(-10);
    await until(async () => (await headline(page, 'accuracy')) < 0.45, 30_000);
    expect(await page.locator('#snr-value').textContent()).toBe('−10.0 dB');
    // The same by what the receiver serves, over the next answers.
    const count = async () => ({
      correct: await servedSum('receiver-decoder', 'semlink_correct_total', { link: 'console' }),
      labelled: await servedSum('receiver-decoder', 'semlink_labelled_total', { link: 'console' }),
    });
    const before = await count();
    let after = before;
    await until(async () => {
      after = await count();
      return after.labelled >= before.labelled + 60;
    }, 30_000);
    expect((after.correct - before.correct) / (after.labelled - before.labelled)).toBeLessThan(0.45);
    await slide(12);
    await until(async () => (await headline(page, 'accuracy')) > 0.75, 30_000);
  });

  it('shows a killed receiver as down within 2 s, and as back when it is back', async () => {
    const page = await openPage();
    await until(async () => (await stateOf(page, 'receiver-decoder')) === 'up');
    const killing = system.kill('receiver-decoder');
    const begun = performance.now();
    await killing;
    await until(async () => (await stateOf(page, 'receiver-decoder')) === 'down');
    const seconds = (performance.now() - begun) / 1e3;
    expect(seconds).toBeLessThan(2);
    expect(await page.locator('[data-role="receiver-decoder"] .badge').textContent()).toBe('✗ down');
    expect(await page.locator('#announce').textContent()).toBe('The receiver is down.');
    // It may die in the middle of an answer: then that is what is said first.
    const why = page.locator('[data-role="receiver-decoder"] .why');
    await until(async () => (await why.textContent())?.includes('nobody listens there') === true, 5_000);
    expect(await stateOf(page, 'transmitter-encoder')).toBe('up');
    // Images have no answer now: each is an error with its trace.
    await until(async () => (await page.locator('#errors tr').count()) > 0, 30_000);
    expect(await page.locator('#errors tr').first().textContent()).toContain('UNAVAILABLE');
    const traced = page.locator('#errors tr:not([data-trace=""])');
    await until(async () => (await traced.count()) > 0, 30_000);
    const trace = (await traced.first().getAttribute('data-trace'))!;
    expect(trace).toMatch(/^[0-9a-f]{32}$/);
    expect(await traced.first().textContent()).toContain(trace);
    // It is where the collector has it.
    await until(() => collector.spans.some(({ traceId }) => traceId === trace), 30_000);
    await system.restart('receiver-decoder');
    await until(async () => (await stateOf(page, 'receiver-decoder')) === 'up');
    expect(await page.locator('#announce').textContent()).toBe('The receiver is up again.');
    await until(async () => Number((await figureOf(page, 'receiver-decoder', 'frames')).value) > 5, 30_000);
  });

  it('works from the keyboard', async () => {
    const page = await openPage();
    const focused = () => page.evaluate<string>('document.activeElement.id');
    await press(page, '?');
    expect(await page.locator('#help').isVisible()).toBe(true);
    // The keys listed work in the page, not behind the list.
    await press(page, 'p', 'Escape');
    expect(await page.locator('#help').isVisible()).toBe(false);
    expect(await page.locator('#pause').getAttribute('aria-pressed')).toBe('false');

    const { snrDb } = (await settings()).channel;
    await press(page, 's');
    expect(await focused()).toBe('snr');
    await press(page, 'ArrowRight', 'ArrowRight');
    await until(async () => (await settings()).channel.snrDb === snrDb + 1);
    await press(page, '[');
    await until(async () => (await settings()).channel.snrDb === snrDb);

    await press(page, 'm', 'j');
    await until(async () => (await settings()).channel.model === 'jakes');
    await press(page, 'Tab');
    await until(() => page.locator('#doppler').isEnabled());
    await press(page, 'd', 'ArrowRight');
    expect(await focused()).toBe('doppler');
    await until(async () => (await settings()).channel.dopplerHz > 100);
    await press(page, 'f', 'ArrowRight');
    await until(async () => (await settings()).feedback.delayMs === 20);
    await press(page, 'ArrowLeft');
    await page.locator('#model').selectOption('awgn');
    await until(async () => (await settings()).channel.model === 'awgn' && (await settings()).feedback.delayMs === 0);

    await press(page, 'p');
    await until(async () => (await page.locator('#pause').getAttribute('aria-pressed')) === 'true');
    await press(page, 'p');

    // Everything that can be changed can be reached by Tab, and shows that it is reached.
    await loaded(page, () => page.reload());
    const reached = new Set<string>();
    for (let i = 0; i < 20; i++) {
      await press(page, 'Tab');
      reached.add(await focused());
    }
    for (const id of ['pause', 'help-open', 'snr', 'model', 'delay', 'policy', 'rate', 'equalise']) {
      expect([...reached], id).toContain(id);
    }
  });

  it('names every control, and what it stands for', async () => {
    const page = await openPage();
    const unnamed = await page.evaluate<string[]>(`
      [...document.querySelectorAll('input, select, button')]
        .filter((control) => !(control.labels?.[0] ?? control).textContent.trim())
        .map(({ id }) => id)`);
    expect(unnamed).toEqual([]);
    expect(await page.locator('#snr').getAttribute('aria-valuetext')).toMatch(/^−?\d+\.\d dB$/);
    // Read aloud: changes of state and refusals, and nothing that moves several times a second.
    const live = await page.evaluate<string[]>(`
      [...document.querySelectorAll('[aria-live], [role="status"], [role="alert"], output')].map(({ id }) => id)`);
    expect(live.filter((id) => !id.endsWith('-value'))).toEqual(['announce', 'refusal']);
  });

  it.each([
    ['light', 380],
    ['dark', 380],
    ['light', 320],
    ['dark', 800],
    ['light', 1440],
  ] as const)('has no sideways scroll in %s at %i pixels', async (colorScheme, width) => {
    const page = await openPage({ colorScheme, viewport: { width, height: 800 } });
    await until(async () => (await page.locator('#images li[data-outcome]').count()) > 5, 20_000);
    const { scroll, inner, wide } = await page.evaluate<{ scroll: number; inner: number; wide: string[] }>(`({
      scroll: document.documentElement.scrollWidth,
      inner: innerWidth,
      wide: [...document.querySelectorAll('main *')]
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest('.scroll'))
        .map((element) => element.id || element.className),
    })`);
    expect(scroll).toBeLessThanOrEqual(inner);
    expect(wide).toEqual([]);
    const [ink, paper] = await page.evaluate<[number, number]>(`(() => {
      const { color, backgroundColor } = getComputedStyle(document.body);
      return [color, backgroundColor].map((one) => Number(/[0-9]+/.exec(one)[0]));
    })()`);
    if (colorScheme === 'dark') expect(ink).toBeGreaterThan(paper);
    else expect(ink).toBeLessThan(paper);
  });

  it('says what the emulator refuses', async () => {
    const page = await openPage();
    await system.kill('channel-emulator');
    await page.locator('#model').selectOption('jakes');
    await until(async () => (await page.locator('#refusal').textContent()) !== '', 30_000);
    expect(await page.locator('#refusal').textContent()).toContain('is not reachable');
    await until(async () => (await stateOf(page, 'channel-emulator')) === 'down');
    // The status 503 of that request is shown in the browser's own log.
    expect(complaints.splice(0).every((text) => text.includes('503'))).toBe(true);
  });
});
