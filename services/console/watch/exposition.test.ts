import { expect, it } from 'vitest';
import { readMetricPage, sumOf } from './exposition.js';

const text = `# HELP semlink_frames_total Frames.
# TYPE semlink_frames_total counter
semlink_frames_total{link="console",outcome="result"} 120
semlink_frames_total{link="console",outcome="error"} 3
semlink_frames_total{link="other",outcome="result"} 1e3 # {trace_id="ab"} 1 2
semlink_stage_seconds_bucket{stage="encode",le="0.1"} 7
semlink_stage_seconds_sum{stage="encode"} 0.25
semlink_ready 1
semlink_snr_db{link="console"} -4.5
process_cpu_seconds_total 9
semlink_broken
semlink_nan{a="b"} x
# EOF
`;

it('reads our samples, sums by label, and passes over the rest', () => {
  const page = readMetricPage(text);
  expect(sumOf(page, 'semlink_frames_total')).toBe(1123);
  expect(sumOf(page, 'semlink_frames_total', { link: 'console' })).toBe(123);
  expect(sumOf(page, 'semlink_frames_total', { outcome: 'result', link: 'console' })).toBe(120);
  expect(sumOf(page, 'semlink_frames_total', { link: 'consol' })).toBeUndefined();
  expect(sumOf(page, 'semlink_frames_total', { ink: 'console' })).toBeUndefined();
  expect(sumOf(page, 'semlink_stage_seconds_sum', { stage: 'encode' })).toBe(0.25);
  expect(sumOf(page, 'semlink_snr_db', { link: 'console' })).toBe(-4.5);
  expect(sumOf(page, 'semlink_ready')).toBe(1);
  expect([...page.keys()]).toEqual([
    'semlink_frames_total',
    'semlink_stage_seconds_sum',
    'semlink_ready',
    'semlink_snr_db',
  ]);
});
