import { expect, it } from 'vitest';
import { type AnsweredImage, Answers } from './answers.js';

const answer = (sequence: number, over: Partial<AnsweredImage> = {}): Omit<AnsweredImage, 'id'> => ({
  sequence,
  index: sequence,
  trueLabel: 3,
  label: 3,
  confidence: 0.9,
  channelUses: 8,
  payloadBytes: 32,
  snrDb: 10,
  latencySeconds: 0.01,
  ...over,
});

it('says nothing of nothing', () => {
  expect(new Answers().figures()).toEqual({
    window: 0,
    accuracy: null,
    channelUses: null,
    payloadBytes: null,
    snrDb: null,
    latencyMedianSeconds: null,
    latencyP95Seconds: null,
  });
});

it('takes figures over the latest answers only, and errors are not wrong answers', () => {
  const answers = new Answers();
  for (let i = 0; i < 100; i++) answers.add(answer(i, { label: 4 }));
  for (let i = 0; i < 40; i++) answers.add(answer(i, { latencySeconds: (i + 1) / 1e3, channelUses: i < 20 ? 2 : 4 }));
  for (let i = 0; i < 10; i++) answers.add(answer(i, { label: undefined, channelUses: 0, snrDb: undefined }));
  for (let i = 0; i < 10; i++) answers.add(answer(i, { label: 5, snrDb: -3, latencySeconds: 1, channelUses: 8 }));
  const figures = answers.figures();
  expect(figures).toMatchObject({ window: 60, accuracy: 0.8, snrDb: -3, latencyMedianSeconds: 0.025 });
  expect(figures.latencyP95Seconds).toBe(1);
  expect(figures.channelUses).toBeCloseTo((20 * 2 + 20 * 4 + 10 * 8) / 50);
  expect(answers.answered).toBe(160);
  expect(answers.errors).toBe(10);
  expect(answers.after(0, 3).map(({ sequence }) => sequence)).toEqual([7, 8, 9]);
  expect(answers.after(159, 3).map(({ sequence }) => sequence)).toEqual([9]);
  expect(answers.after(160, 3)).toEqual([]);
  answers.clear();
  expect(answers.figures().window).toBe(0);
  expect(answers.answered).toBe(160);
});

it('says nothing by answers that are old: a link that has gone silent has no accuracy', () => {
  const clock = { ms: 0 };
  const answers = new Answers(() => clock.ms);
  for (; clock.ms < 6_000; clock.ms += 1_000) answers.add(answer(clock.ms));
  clock.ms = 12_500;
  expect(answers.figures()).toMatchObject({ window: 3, accuracy: 1 });
  clock.ms = 60_000;
  expect(answers.figures()).toMatchObject({ window: 0, accuracy: null, snrDb: null, latencyMedianSeconds: null });
  answers.add(answer(9));
  expect(answers.figures().window).toBe(1);
});
