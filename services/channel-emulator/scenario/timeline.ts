import { invalidArgument, SemlinkError } from '../../../shared/rpc/errors.js';
import type { LinkSettings } from '../control/link-settings.js';
import { patchSettings } from '../control/settings-patch.js';
import { unflatten, valueAt } from '../control/settings-paths.js';
import type { ScenarioStep } from './scenario.js';

/** Times such as 0.3 are no binary fractions: what is due counts as due a nanosecond early, seconds. */
export const tolerance = 1e-9;

/** What a timeline changes. */
export interface TimelineTarget {
  /** What is set for the link now. */
  settings: () => LinkSettings;
  /** Sets it. @throws SemlinkError when the settings are no good; nothing changes then */
  set: (settings: LinkSettings) => void;
  /** Forgets the link's own settings. */
  reset: () => void;
}

interface Ramp {
  readonly step: ScenarioStep;
  /** Value at the start and at the end, by path. */
  readonly values: readonly { readonly path: string; readonly from: number; readonly to: number }[];
  /** Number of the grid step applied last. */
  tick: number;
}

/** Something that happens at one time: a ramp ends, a step acts, or a ramp begins; in this order at the same time. */
interface Boundary {
  readonly at: number;
  readonly order: 0 | 1 | 2;
  readonly step: ScenarioStep;
}

/**
 * One round of a scenario for one link, played from its start to its end. Time only goes forward. At a time t all that is
 * due up to t has been done, in its order, and a ramp has its value of the last grid point, `resolution` seconds apart
 * from the ramp's start: between the same two grid points nothing changes.
 */
export class Timeline {
  readonly #boundaries: readonly Boundary[];
  readonly #target: TimelineTarget;
  readonly #resolution: number;
  readonly #ramps = new Map<ScenarioStep, Ramp>();
  #next = 0;

  /** `steps`: of one link, sorted by time. */
  constructor(steps: readonly ScenarioStep[], resolution: number, target: TimelineTarget) {
    this.#target = target;
    this.#resolution = resolution;
    this.#boundaries = steps
      .flatMap((step): Boundary[] =>
        step.over > 0
          ? [
              { at: step.at, order: 2, step },
              { at: step.at + step.over, order: 0, step },
            ]
          : [{ at: step.at, order: 1, step }],
      )
      .sort((a, b) => a.at - b.at || a.order - b.order || a.step.number - b.step.number);
  }

  /** Whether everything has been done. */
  get done(): boolean {
    return this.#next === this.#boundaries.length;
  }

  /** When something happens next, seconds; a time that has gone by: now. */
  nextAfter(t: number): number {
    let next = this.#boundaries[this.#next]?.at ?? Number.POSITIVE_INFINITY;
    for (const { step } of this.#ramps.values()) {
      const tick = Math.floor((t - step.at) / this.#resolution + tolerance) + 1;
      next = Math.min(next, step.at + tick * this.#resolution);
    }
    return next;
  }

  /**
   * Does what is due up to `t` seconds.
   * @param onStep called after each step that has come into force: a value was set, or a ramp has begun
   * @throws SemlinkError naming the step whose settings are no good; what was set before stays
   */
  advance(t: number, onStep: (step: ScenarioStep) => void = () => {}): void {
    for (
      let boundary = this.#boundaries[this.#next];
      boundary && boundary.at <= t + tolerance;
      boundary = this.#boundaries[this.#next]
    ) {
      this.#next++;
      const { step, order } = boundary;
      if (order === 0) this.#end(step);
      else if (order === 2) this.#begin(step);
      else if (step.patch) this.#patch(step, step.patch);
      else this.#target.reset();
      if (order !== 0) onStep(step);
    }
    for (const ramp of this.#ramps.values()) this.#move(ramp, t);
  }

  #begin(step: ScenarioStep): void {
    const settings = this.#target.settings();
    const values = [...step.values].map(([path, to]) => {
      const from = valueAt(settings, path);
      if (typeof from === 'number') return { path, from, to: to as number };
      throw invalidArgument(`step ${step.number}: what ${path} ramps from`, from ?? null, 'set it to a number first');
    });
    this.#ramps.set(step, { step, values, tick: 0 });
  }

  #move(ramp: Ramp, t: number): void {
    const { step, values } = ramp;
    const tick = Math.floor((t - step.at) / this.#resolution + tolerance);
    if (tick <= ramp.tick) return;
    ramp.tick = tick;
    const share = Math.min(1, tick / (step.over / this.#resolution));
    const moved = values.map(({ path, from, to }) => [path, from + (to - from) * share] as const);
    this.#patch(step, unflatten(moved));
  }

  #end(step: ScenarioStep): void {
    this.#ramps.delete(step);
    this.#patch(step, step.patch!);
  }

  #patch(step: ScenarioStep, patch: object): void {
    const where = `step ${step.number}`;
    try {
      this.#target.set(patchSettings(this.#target.settings(), patch, where));
    } catch (error) {
      if (!(error instanceof SemlinkError) || error.message.startsWith(where)) throw error;
      throw new SemlinkError(error.code, `${where} at ${step.at} s: ${error.message}`, { cause: error });
    }
  }
}
