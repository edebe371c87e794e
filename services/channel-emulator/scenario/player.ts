import { toSemlinkError } from '../../../shared/rpc/errors.js';
import type { Links } from '../links.js';
import { rehearse, stepsByLink } from './rehearsal.js';
import type { Scenario, ScenarioStep } from './scenario.js';
import { Timeline, tolerance } from './timeline.js';

export type ScenarioState = 'running' | 'paused' | 'done' | 'stopped' | 'failed';

export interface ScenarioProgress {
  readonly name: string;
  readonly state: ScenarioState;
  /** Seconds of the current round that have gone by; with the clock of the air, of the link that is furthest. */
  readonly elapsed: number;
  /** Seconds of a round. */
  readonly length: number;
  /** From 1. */
  readonly round: number;
  /** Infinity: no end. */
  readonly rounds: number;
  /** Steps that have come into force, in all rounds and links. */
  readonly stepsDone: number;
  /** The latest of them, or why the scenario failed. */
  readonly detail: string;
}

/** One link's part of a scenario: where it is, in which round. */
interface Track {
  readonly linkId: string;
  readonly steps: readonly ScenarioStep[];
  timeline: Timeline;
  /** From 0. */
  round: number;
  /** Air clock: position where the scenario's time is 0, symbols. */
  origin: number;
  /** Air clock: seconds gone by since then. */
  elapsed: number;
  /** All its rounds are over. */
  done: boolean;
}

/** Timers cannot be longer, ms. */
const longestTimer = 2 ** 31 - 1;

/**
 * Plays one scenario over the links, on the wall clock by one timer, or on each link's own time on the air just before
 * each of its frames. What it sets stays set when it ends. A live change of what it does not name stays too; what it
 * names comes back with its next step.
 */
export class ScenarioPlayer {
  readonly scenario: Scenario;
  readonly #links: Links;
  readonly #onProgress: (progress: ScenarioProgress) => void;
  readonly #tracks: Track[];
  #state: ScenarioState = 'running';
  /** Wall clock: `performance.now()` at the scenario's time 0; while paused, how far it was, ms. */
  #startedAtMs = performance.now();
  #pausedAfterMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #stepsDone = 0;
  #unfinished: number;
  #detail = '';

  /**
   * Starts at once.
   * @param onProgress called after steps and changes of state, at last with an end
   * @throws SemlinkError INVALID_ARGUMENT when a step would be no good over what is set now; nothing has changed then
   */
  constructor(scenario: Scenario, links: Links, onProgress: (progress: ScenarioProgress) => void) {
    rehearse(scenario, links);
    this.scenario = scenario;
    this.#links = links;
    this.#onProgress = onProgress;
    this.#tracks = [...stepsByLink(scenario)].map(([linkId, steps]) => ({
      linkId,
      steps,
      timeline: this.#timeline(linkId, steps),
      round: 0,
      origin: links.positionOf(linkId),
      elapsed: 0,
      done: false,
    }));
    this.#unfinished = this.#tracks.length;
    if (scenario.clock === 'air') {
      for (const track of this.#tracks) links.drive(track.linkId, (position) => this.#flown(track, position));
    }
  }

  /** Does what is due at its time 0, and goes on by itself. */
  start(): void {
    if (this.scenario.clock === 'wall') this.#tick();
    else this.#onProgress(this.progress);
  }

  get progress(): ScenarioProgress {
    const { name, length, rounds, clock } = this.scenario;
    const seconds =
      clock === 'air'
        ? Math.max(...this.#tracks.map(({ elapsed }) => elapsed))
        : (this.#state === 'paused' ? this.#pausedAfterMs : performance.now() - this.#startedAtMs) / 1e3;
    const round = length === 0 ? 0 : Math.min(Math.floor(seconds / length), rounds - 1);
    return {
      name,
      state: this.#state,
      elapsed: Math.min(length, Math.max(0, seconds - round * length)),
      length,
      round: round + 1,
      rounds,
      stepsDone: this.#stepsDone,
      detail: this.#detail,
    };
  }

  /** Ids of the links it changes; '' for the default. */
  get linkIds(): string[] {
    return this.#tracks.map(({ linkId }) => linkId);
  }

  pause(): void {
    if (this.#state !== 'running') return;
    clearTimeout(this.#timer);
    this.#pausedAfterMs = performance.now() - this.#startedAtMs;
    this.#state = 'paused';
    this.#onProgress(this.progress);
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    this.#startedAtMs = performance.now() - this.#pausedAfterMs;
    this.#onProgress(this.progress);
    if (this.scenario.clock === 'wall') this.#tick();
  }

  stop(): void {
    this.#finish('stopped');
  }

  readonly #tick = (): void => {
    const seconds = (performance.now() - this.#startedAtMs) / 1e3;
    let nextAt = Number.POSITIVE_INFINITY;
    try {
      for (const track of this.#tracks) nextAt = Math.min(nextAt, this.#advance(track, seconds));
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (this.#state !== 'running') return;
    if (nextAt === Number.POSITIVE_INFINITY) {
      this.#finish('done');
      return;
    }
    this.#onProgress(this.progress);
    const waitMs = Math.ceil(this.#startedAtMs + 1e3 * nextAt - performance.now());
    this.#timer = setTimeout(this.#tick, Math.min(Math.max(waitMs, 1), longestTimer));
  };

  /** A frame of the link is about to go on the air. */
  #flown(track: Track, position: number): void {
    const rate = this.#links.settingsOf(track.linkId).air.symbolRateHz;
    // While paused the scenario's time stands still.
    if (this.#state === 'paused') track.origin = position - track.elapsed * rate;
    if (this.#state !== 'running' || track.done) return;
    track.elapsed = Math.max(track.elapsed, (position - track.origin) / rate);
    const before = this.#stepsDone;
    try {
      if (this.#advance(track, track.elapsed) === Number.POSITIVE_INFINITY) {
        this.#links.drive(track.linkId, undefined);
        track.done = true;
        this.#unfinished--;
      }
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (this.#unfinished === 0) this.#finish('done');
    else if (this.#stepsDone !== before) this.#onProgress(this.progress);
  }

  /** Plays a track up to `seconds` from the start; when something happens next, seconds, or Infinity at the end. */
  #advance(track: Track, seconds: number): number {
    const { length, rounds } = this.scenario;
    const now = length === 0 ? (seconds > 0 ? 1 : 0) : Math.floor((seconds + tolerance) / length);
    while (track.round < Math.min(now, rounds)) {
      track.timeline.advance(length, this.#stepped);
      // After a long sleep the rounds between are skipped: each ends as the one before it.
      track.round = Math.max(track.round + 1, Math.min(now, rounds) - 1);
      if (track.round < rounds) track.timeline = this.#timeline(track.linkId, track.steps);
    }
    if (track.round >= rounds) return Number.POSITIVE_INFINITY;
    const start = track.round * length;
    track.timeline.advance(seconds - start, this.#stepped);
    if (track.timeline.done && rounds === 1) return Number.POSITIVE_INFINITY;
    return Math.min(start + track.timeline.nextAfter(seconds - start), start + length);
  }

  readonly #stepped = ({ number, linkId, patch, values, over }: ScenarioStep): void => {
    this.#stepsDone++;
    const what = patch ? `${over > 0 ? 'ramps' : 'sets'} ${[...values.keys()].join(', ')} of` : 'resets';
    this.#detail = `step ${number} ${what} ${linkId === '' ? 'the default' : `link ${linkId}`}`;
  };

  #timeline(linkId: string, steps: readonly ScenarioStep[]): Timeline {
    const links = this.#links;
    return new Timeline(steps, this.scenario.resolution, {
      settings: () => links.settingsOf(linkId),
      set: (settings) => links.set(linkId, settings, 'scenario'),
      reset: () => links.reset(linkId, 'scenario'),
    });
  }

  #fail(error: unknown): void {
    this.#detail = toSemlinkError(error).message;
    this.#finish('failed');
  }

  #finish(state: 'done' | 'stopped' | 'failed'): void {
    if (this.#state !== 'running' && this.#state !== 'paused') return;
    if (this.#state === 'paused') this.#startedAtMs = performance.now() - this.#pausedAfterMs;
    clearTimeout(this.#timer);
    if (this.scenario.clock === 'air') for (const { linkId } of this.#tracks) this.#links.drive(linkId, undefined);
    this.#state = state;
    this.#onProgress(this.progress);
  }
}
