import { type LinkRandom, Purpose } from '../../../shared/channel/link-random.js';
import { Code, SemlinkError } from '../../../shared/rpc/errors.js';
import { checkFlag, checkNumbers, type NumberRange } from './ranges.js';

/** What turns a link's channel uses into time. */
export interface AirSettings {
  /** Complex symbols a second: a frame of k symbols is on the air for k / symbolRateHz seconds. */
  readonly symbolRateHz: number;
  /** Frames of the link follow each other on the air and arrive after air time and delay; false: only reported. */
  readonly realTime: boolean;
  /** From antenna to antenna, ms. */
  readonly propagationDelayMs: number;
  /** Of transmitter and receiver, ms. */
  readonly processingDelayMs: number;
  /** A further delay of each frame, uniform on [0, jitterMs), ms; a function of the link's seed and the position. */
  readonly jitterMs: number;
  /** With jitter a frame may overtake earlier ones of its link; false: it arrives right after them. */
  readonly reorder: boolean;
  /** A frame that would wait longer for its link's air is answered RESOURCE_EXHAUSTED, ms. */
  readonly maxWaitMs: number;
}

const hour: NumberRange = { least: 0, greatest: 3_600_000, unit: 'ms' };
export const airRanges = {
  symbolRateHz: { least: 1, greatest: 1e12, unit: 'symbols a second' },
  propagationDelayMs: hour,
  processingDelayMs: hour,
  jitterMs: hour,
  maxWaitMs: { ...hour, least: 0.001 },
} as const satisfies Partial<Record<keyof AirSettings, NumberRange>>;

export const defaultAir: AirSettings = {
  symbolRateHz: 1_000_000,
  realTime: false,
  propagationDelayMs: 0,
  processingDelayMs: 0,
  jitterMs: 0,
  reorder: false,
  maxWaitMs: 1_000,
};

/** @throws SemlinkError INVALID_ARGUMENT naming the setting, its value and the range */
export function checkAir(air: AirSettings): void {
  checkNumbers('air', air, airRanges);
  checkFlag('air.realTime', air.realTime);
  checkFlag('air.reorder', air.reorder);
}

/** When a link's air is free again and when its last frame arrives; `performance.now()` milliseconds. */
export interface AirState {
  freeAtMs: number;
  lastArrivalMs: number;
}

/** How long one frame takes. */
export interface FrameTime {
  /** On the air, ms. */
  readonly airMs: number;
  /** Before that, for earlier frames of the link, ms; 0 unless in real time. */
  readonly waitMs: number;
  /** After that: propagation, processing and jitter, ms. */
  readonly delayMs: number;
  /** When it arrives, `performance.now()` milliseconds; undefined: at once, for it is not held. */
  readonly arrivesAtMs: number | undefined;
}

/**
 * Puts a frame on its link's air: it starts when the frame before has left, and arrives `airMs + delayMs` after its
 * start. In real time the link's air is taken until then.
 *
 * @param symbols k
 * @param position symbols the link had carried before
 * @throws SemlinkError RESOURCE_EXHAUSTED when it would wait longer than it may; nothing changes then
 */
export function takeAir(
  settings: AirSettings,
  link: { readonly air: AirState; readonly random: LinkRandom },
  symbols: number,
  position: number,
  nowMs: number,
): FrameTime {
  const airMs = (1e3 * symbols) / settings.symbolRateHz;
  const delayMs = settings.propagationDelayMs + settings.processingDelayMs + jitterOf(settings, link.random, position);
  if (!settings.realTime) return { airMs, waitMs: 0, delayMs, arrivesAtMs: undefined };
  const waitMs = waitFor(settings, link.air, nowMs);
  const leavesAtMs = nowMs + waitMs + airMs;
  const drawn = leavesAtMs + delayMs;
  const arrivesAtMs = settings.reorder ? drawn : Math.max(drawn, link.air.lastArrivalMs);
  link.air.freeAtMs = leavesAtMs;
  link.air.lastArrivalMs = Math.max(arrivesAtMs, link.air.lastArrivalMs);
  return { airMs, waitMs, delayMs: arrivesAtMs - leavesAtMs, arrivesAtMs };
}

/**
 * How long a frame that comes now waits for its link's air, ms.
 * @throws SemlinkError RESOURCE_EXHAUSTED when that is longer than it may be
 */
export function waitFor(settings: AirSettings, air: AirState, nowMs: number): number {
  if (!settings.realTime) return 0;
  const waitMs = Math.max(0, air.freeAtMs - nowMs);
  if (waitMs <= settings.maxWaitMs) return waitMs;
  throw new SemlinkError(
    Code.RESOURCE_EXHAUSTED,
    `the air of the link is taken for another ${waitMs.toFixed(1)} ms, and a frame may wait ${settings.maxWaitMs}; ` +
      `send at most ${settings.symbolRateHz} symbols a second, or raise air.maxWaitMs`,
    { why: 'air_busy' },
  );
}

function jitterOf({ jitterMs }: AirSettings, random: LinkRandom, position: number): number {
  return jitterMs === 0 ? 0 : jitterMs * uniform(random, Purpose.jitter, position);
}

const draw = new Float64Array(1);

/** Number `index` of a purpose, uniform on [0, 1). */
export function uniform(random: LinkRandom, purpose: Purpose, index: number): number {
  random.uniforms(purpose, index, 1, draw);
  return draw[0]!;
}
