process.env.TF_NUM_INTRAOP_THREADS = '1';

import { afterEach, describe, expect, it } from 'vitest';
import { seededNormal } from '../../shared/codec/small-model.fixture.js';
import { GradientGraph } from '../../shared/tensor/gradient-graph.js';
import { GradientOps } from '../../shared/tensor/gradient-ops.js';
import { GraphSession } from '../../shared/tensor/graph-session.js';
import { DataType } from '../../shared/tensor/saved-model.js';
import { AdamW, learningRateAt, type OptimizerState } from './optimizer.js';

const START = Float32Array.of(0.5, -1, 2, 0, -0.25);
const MASK = Float32Array.of(1, 0, 1, 1, 0);
const OPTIONS = { weightDecay: 0.1, averageDecay: 0.5 };
const RATES = [0.1, 0.05, 0.2, 0.01, 0.1, 0.1, 0.03, 0.3];

/** Gradients of each step, of very different sizes. */
function gradients(seed = 1): Float32Array[] {
  const normal = seededNormal(seed);
  return RATES.map((_, step) => START.map((_, i) => normal() * 10 ** (i - 2) * (step % 3 === 2 ? 0 : 1)));
}

/** AdamW of one weight as in the paper (algorithm 2, with a schedule that is all in the rate), in double precision. */
function byHand(start: number, decays: boolean, grads: number[], rates: number[]) {
  const [beta1, beta2, epsilon] = [0.9, 0.99, 1e-8];
  let [w, average, m, v] = [start, start, 0, 0];
  grads.forEach((g, i) => {
    const t = i + 1;
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g * g;
    const step = m / (1 - beta1 ** t) / (Math.sqrt(v / (1 - beta2 ** t)) + epsilon);
    w -= rates[i]! * (step + (decays ? OPTIONS.weightDecay * w : 0));
    const keep = Math.min(OPTIONS.averageDecay, t / (t + 10));
    average = keep * average + (1 - keep) * w;
  });
  return { w, average, m, v };
}

/** An optimiser in a session of its own, whose gradient is fed. */
class Fed {
  static readonly open: Fed[] = [];
  step: number;
  readonly session: GraphSession;
  readonly #adam: AdamW;
  readonly #applied: string;

  constructor(start: Float32Array | OptimizerState = START) {
    const ops = new GradientOps(new GradientGraph());
    this.#adam = new AdamW(ops, START.length, OPTIONS);
    const gradient = ops.graph.placeholder('gradient', DataType.float32, [START.length]);
    const after = [this.#adam.apply(gradient, MASK)];
    this.#applied = ops.graph.node('Identity', [ops.graph.scalar(0)], [], { after }).node;
    this.session = new GraphSession(ops.graph.finish());
    const zeros = new Float32Array(START.length);
    const state =
      start instanceof Float32Array ? { weights: start, average: start, first: zeros, second: zeros } : start;
    this.step = start instanceof Float32Array ? 0 : start.step;
    this.#adam.load(this.session, state);
    Fed.open.push(this);
  }

  apply(gradient: Float32Array, rate: number): void {
    const feeds = [{ node: 'gradient', shape: [START.length], data: gradient }, this.#adam.feed(this.step++, rate)];
    this.session.run(feeds, [this.#applied]);
  }

  state = (): OptimizerState => ({ step: this.step, ...this.#adam.state(this.session) });
}

const optimizer = (start?: Float32Array | OptimizerState) => new Fed(start);

function advance(adam: Fed, from: number, to: number): void {
  for (let step = from; step < to; step++) adam.apply(gradients()[step]!, RATES[step]!);
}

afterEach(() => {
  for (const { session } of Fed.open.splice(0)) session.dispose();
});

describe('AdamW', () => {
  it('is the scalar algorithm for each weight: bias correction, decoupled decay where masked, moving average', () => {
    const adam = optimizer();
    for (let steps = 1; steps <= RATES.length; steps++) {
      advance(adam, steps - 1, steps);
      const state = adam.state();
      expect(state.step).toBe(steps);
      START.forEach((start, i) => {
        const own = gradients()
          .slice(0, steps)
          .map((g) => g[i]!);
        const { w, average, m, v } = byHand(start, MASK[i] === 1, own, RATES);
        expect(Math.abs(state.weights[i]! - w)).toBeLessThan(1e-5);
        expect(Math.abs(state.average[i]! - average)).toBeLessThan(1e-5);
        expect(Math.abs(state.first[i]! / (m || 1) - (m ? 1 : 0))).toBeLessThan(1e-4);
        expect(Math.abs(state.second[i]! / (v || 1) - (v ? 1 : 0))).toBeLessThan(1e-4);
      });
    }
  });

  it('without a gradient only decays, and only what the mask says', () => {
    const adam = optimizer();
    adam.apply(new Float32Array(5), 0.5);
    const { weights } = adam.state();
    START.forEach((start, i) => {
      expect(weights[i]).toBeCloseTo(MASK[i] ? start * (1 - 0.5 * 0.1) : start, 6);
    });
  });

  it('goes on from its state to the same bits, and the state taken does not change afterwards', () => {
    const whole = optimizer();
    advance(whole, 0, 8);
    const first = optimizer();
    advance(first, 0, 3);
    const taken = first.state();
    const copy = structuredClone(taken);
    const second = optimizer(taken);
    expect(second.step).toBe(3);
    advance(first, 3, 8);
    expect(taken).toEqual(copy);
    advance(second, 3, 8);
    expect(second.state()).toEqual(whole.state());
    expect(first.state()).toEqual(whole.state());
  });

  it('keeps its state apart from that of another graph', () => {
    const [one, other] = [optimizer(), optimizer()];
    advance(one, 0, 2);
    expect([...other.state().weights]).toEqual([...START]);
  });
});

describe('learningRateAt', () => {
  const rates = Array.from({ length: 1000 }, (_, step) => learningRateAt(step, 1000, 0.4, 0.1));

  it('rises in a line to the peak, then falls along a cosine to almost nothing', () => {
    expect(rates[0]).toBeCloseTo(0.4 * 0.01, 10);
    expect(rates[49]).toBeCloseTo(0.2, 10);
    expect(rates[99]).toBeCloseTo(0.4, 10);
    expect(rates[549]).toBeCloseTo(0.4 * (0.002 + 0.998 / 2), 10);
    expect(rates[999]).toBeCloseTo(0.4 * 0.002, 10);
    rates.forEach((rate, step) => {
      expect(rate).toBeGreaterThan(0);
      if (step > 0 && step < 100) expect(rate).toBeGreaterThan(rates[step - 1]!);
      if (step >= 100) expect(rate).toBeLessThan(rates[step - 1]!);
    });
  });

  it('has no jump', () => {
    for (let step = 1; step < 1000; step++) {
      expect(Math.abs(rates[step]! - rates[step - 1]!)).toBeLessThan(0.4 * 0.011);
    }
  });
});
