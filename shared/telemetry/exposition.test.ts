import { Counter, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { MeasuredAnswer } from './answer-metrics.js';
import { ExpositionWriter, wantsOpenMetrics } from './exposition.js';
import { ServiceMetrics } from './metrics.js';

const ANSWER: MeasuredAnswer = {
  linkId: '',
  captureTimeUnixNano: 0n,
  outcome: { case: undefined },
  channelUses: 8,
  snrDb: 10,
  payloadBytes: 32,
  trueLabel: 1,
  traceparent: '',
};

describe('wantsOpenMetrics', () => {
  it.each([
    ['', false],
    ['*/*', false],
    ['text/plain', false],
    ['text/html,application/xhtml+xml,*/*;q=0.8', false],
    ['application/openmetrics-text', true],
    ['application/openmetrics-text; version=1.0.0; charset=utf-8', true],
    ['Application/OpenMetrics-Text;q=0.9, text/plain;q=0.8', true],
    ['application/openmetrics-text;q=0.3, text/plain;q=0.8', false],
    ['application/openmetrics-text;q=0', false],
    // What Prometheus 2 and 3 send.
    [
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5,*/*;q=0.1',
      true,
    ],
    [
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,/;q=0.1',
      true,
    ],
  ])('of "%s" is %s', (accept, expected) => {
    expect(wantsOpenMetrics(accept)).toBe(expected);
  });
});

describe('ExpositionWriter', () => {
  it('renders a thousand links in one turn of the event loop: under load each one more is waited for', async () => {
    const metrics = new ServiceMetrics('receiver-decoder', { linkLimit: 2_000 });
    for (let i = 0; i < 1_000; i++) metrics.observeAnswers([{ ...ANSWER, linkId: `link-${i}` }], 1n);
    let turned = false;
    setImmediate(() => {
      turned = true;
    });
    const { body } = await new ExpositionWriter(metrics.registry).render('application/openmetrics-text');
    expect(turned).toBe(false);
    expect(body.length).toBeGreaterThan(200_000);
  });

  it('gives the event loop turns while it renders much, and each scrape its own format', async () => {
    const registry = new Registry();
    for (const name of ['semlink_one_total', 'semlink_two_total']) {
      const counter = new Counter({ name, help: 'Help.', labelNames: ['link'], registers: [registry] });
      for (let i = 0; i < 20_000; i++) counter.inc({ link: `link-${i}` });
    }
    const writer = new ExpositionWriter(registry);
    let turns = 0;
    const tick = setInterval(() => turns++, 0);
    const [text, open] = await Promise.all([
      writer.render('text/plain'),
      writer.render('application/openmetrics-text'),
    ]);
    clearInterval(tick);
    expect(turns).toBeGreaterThanOrEqual(2);
    expect(text.body).toContain('# TYPE semlink_one_total counter\nsemlink_one_total{link="link-0"} 1\n');
    expect(open.body).toContain('# TYPE semlink_one counter\nsemlink_one_total{link="link-0"} 1\n');
    expect(open.body.endsWith('\n# EOF\n')).toBe(true);
    expect((await writer.render(undefined)).body).toBe(text.body);
  });
});
