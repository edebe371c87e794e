import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExposition } from '../../test/telemetry/exposition-parse.js';
import { lengthIndex, snrStep } from './meaning-metrics.js';
import { ServiceMetrics } from './metrics.js';
import { LENGTHS, SNR_STEPS } from './names.js';

describe('labels of metrics by SNR and k', () => {
  it('are the step of 2 dB that holds the SNR, open at both ends', () => {
    const of = (snrDb: number) => SNR_STEPS[snrStep(snrDb)];
    expect([-100, -12.01, -12, -10.5, -10, -0.1, 0, 1.99, 19.9, 20, 60].map(of)).toEqual([
      '-inf',
      '-inf',
      '-12',
      '-12',
      '-10',
      '-2',
      '0',
      '0',
      '18',
      '20',
      '20',
    ]);
    fc.assert(
      fc.property(fc.integer({ min: -12_000, max: 21_999 }), (thousandths) => {
        const snrDb = thousandths / 1_000;
        const from = Number(of(snrDb));
        expect(snrDb).toBeGreaterThanOrEqual(from);
        expect(snrDb).toBeLessThan(from + 2);
      }),
    );
  });

  it('are each published length, and other', () => {
    const of = (k: number) => LENGTHS[lengthIndex(k)];
    expect([2, 4, 8, 16, 32, 64, 128].map(of)).toEqual(['2', '4', '8', '16', '32', '64', '128']);
    for (const k of [0, 1, 3, 5, 12, 100, 127, 129, 256, 1024, 2 ** 31]) expect(of(k)).toBe('other');
  });
});

describe('MeaningMetrics', () => {
  it('counts accuracy by SNR and k, confidence, bits and rechecks', async () => {
    const { meaning, registry } = new ServiceMetrics('receiver-decoder', { processMetrics: false, linkLimit: 1 });
    const answer = (label: number, confidence: number, truth: number | undefined, snrDb = 3, channelUses = 8) =>
      meaning.observe(
        { $typeName: 'semlink.v1.Classification', label, confidence, probabilities: [] },
        { trueLabel: truth, snrDb, channelUses },
      );
    answer(1, 0.97, 1);
    answer(1, 0.4, 2);
    answer(1, 0.4, undefined);
    answer(5, 0.6, 5, -20, 100);
    meaning.observeBits(20);
    meaning.observeBits(Number.NaN);
    meaning.recheck('a', true);
    meaning.recheck('a', false);
    meaning.recheck('b', false);
    const seen = parseExposition(await registry.metrics());
    expect(seen.value('semlink_labelled_by_snr_total', { snr_from_db: '2', k: '8' })).toBe(2);
    expect(seen.value('semlink_correct_by_snr_total', { snr_from_db: '2', k: '8' })).toBe(1);
    expect(seen.value('semlink_correct_by_snr_total', { snr_from_db: '-inf', k: 'other' })).toBe(1);
    expect(seen.samples.filter(({ name }) => name === 'semlink_labelled_by_snr_total')).toHaveLength(2);
    expect(seen.value('semlink_confidence_ratio_bucket', { le: '0.4' })).toBe(2);
    expect(seen.value('semlink_confidence_ratio_count')).toBe(4);
    expect(seen.value('semlink_semantic_bits_sum')).toBe(20);
    expect(seen.value('semlink_rechecked_total', { link: 'a' })).toBe(2);
    expect(seen.value('semlink_disagreed_total', { link: 'a' })).toBe(1);
    expect(seen.value('semlink_disagreed_total', { link: 'other' })).toBe(1);
  });

  it('counts answers, accuracy and confidence of each model, of few models', async () => {
    const metrics = new ServiceMetrics('receiver-decoder', { processMetrics: false });
    const answer = (modelVersion: string, label: number, confidence: number, trueLabel?: number) =>
      metrics.observeAnswers(
        [
          {
            linkId: 'a',
            captureTimeUnixNano: 0n,
            outcome: {
              case: 'classification',
              value: { $typeName: 'semlink.v1.Classification', label, confidence, probabilities: [] },
            },
            channelUses: 8,
            payloadBytes: 32,
            traceparent: '',
            modelVersion,
            ...(trueLabel !== undefined && { trueLabel }),
          },
        ],
        1n,
      );
    answer('new', 1, 0.5, 2);
    answer('new', 1, 0.9);
    answer('old', 1, 0.97, 1);
    answer('', 1, 0.97, 1);
    for (let i = 0; i < 20; i++) answer(`later-${i}`, 1, 0.97, 1);
    const seen = parseExposition(await metrics.registry.metrics());
    const of = (name: string, model: string) => seen.value(`semlink_${name}`, { model });
    expect(of('labelled_by_model_total', 'new')).toBe(1);
    expect(of('correct_by_model_total', 'new')).toBe(0);
    expect(of('confidence_by_model_ratio_count', 'new')).toBe(2);
    expect(of('confidence_by_model_ratio_sum', 'new')).toBeCloseTo(1.4);
    expect(of('correct_by_model_total', 'old')).toBe(1);
    // new, old and six more have their own.
    expect(of('labelled_by_model_total', 'other')).toBe(14);
    expect(seen.samples.filter(({ name }) => name === 'semlink_labelled_by_model_total')).toHaveLength(9);
  });
});
