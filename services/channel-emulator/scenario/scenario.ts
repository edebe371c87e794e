import { invalidArgument } from '../../../shared/rpc/errors.js';
import { isLinkId } from '../../../shared/rpc/frame-header.js';
import { checkedPatch, isObject, type JsonObject } from '../control/settings-patch.js';
import { flatten } from '../control/settings-paths.js';
import { checkNoContradiction } from './contradictions.js';

/** What happens to one link (an empty id: the default) at one time of a scenario. */
export interface ScenarioStep {
  /** Its number in the file, from 1, for messages. */
  readonly number: number;
  readonly linkId: string;
  /** Seconds from the start of a round. */
  readonly at: number;
  /** Seconds; 0 unless it is a ramp. */
  readonly over: number;
  /** Set at once; for a ramp: where each value is at the end. Undefined: the link's own settings are forgotten. */
  readonly patch: JsonObject | undefined;
  /** The patch by paths. */
  readonly values: ReadonlyMap<string, unknown>;
}

/** A scenario, checked as far as it can be without the links that it changes. */
export interface Scenario {
  readonly name: string;
  /**
   * `wall`: time since the start. `air`: each link's own time on the air, position / symbol rate since the start, so that
   * what happens to each frame is the same however fast frames come.
   */
  readonly clock: 'wall' | 'air';
  /** Sorted by time. */
  readonly steps: readonly ScenarioStep[];
  /** Length of a round, seconds. */
  readonly length: number;
  /** How often it runs; Infinity: until it is stopped. */
  readonly rounds: number;
  /** Ramps move in steps of so many seconds. */
  readonly resolution: number;
}

const mostSteps = 10_000;
const mostLinks = 10_000;
const mostBytes = 1024 * 1024;
const mostSeconds = 1e7;
const leastResolution = 0.01;

/**
 * Reads a scenario file:
 *
 * ```json
 * {
 *   "name": "drive-by",
 *   "loop": { "every": 20, "times": 3 },
 *   "steps": [
 *     { "at": 0, "link": "car", "set": { "channel": { "model": "jakes", "dopplerHz": 90, "snrDb": 0 } } },
 *     { "at": 1, "link": "car", "ramp": { "channel": { "snrDb": 20 } }, "over": 8 },
 *     { "at": 15, "link": ["car", "van"], "reset": true }
 *   ]
 * }
 * ```
 *
 * `at`, `over` and `every` are seconds. `link`: one id or several; left out: the default of all links without settings of
 * their own. A step has one of `set` and `ramp` (settings as JSON, changing what they name; a ramp moves numbers in a
 * straight line from what they are) and `reset`. Optional: `clock` ("wall" or "air"), `resolution` (seconds between two
 * steps of a ramp, default 0.05), `loop` (`times` left out: until it is stopped).
 *
 * @throws SemlinkError INVALID_ARGUMENT naming the step and what is wrong with it, or the two steps that contradict each
 * other
 */
export function parseScenario(text: string): Scenario {
  if (text.length > mostBytes)
    throw invalidArgument('size of the scenario', `${text.length} bytes`, `use at most ${mostBytes}`);
  const file = parseJson(text);
  checkKeys('scenario', file, ['name', 'clock', 'resolution', 'loop', 'steps']);
  const { name = 'scenario', clock = 'wall', resolution = 0.05 } = file;
  if (typeof name !== 'string' || !isLinkId(name)) {
    throw invalidArgument('name', name, 'use 1 to 64 characters of A-Z a-z 0-9 . _ : -');
  }
  if (clock !== 'wall' && clock !== 'air') throw invalidArgument('clock', clock, 'use "wall" or "air"');
  const steps = stepsFrom(file.steps);
  const grid = seconds('resolution', resolution, leastResolution, 3600);
  const end = Math.max(...steps.map(({ at, over }) => at + over));
  const { length, rounds } = loopFrom(file.loop, end, grid);
  const scenario: Scenario = { name, clock, steps, length, rounds, resolution: grid };
  checkNoContradiction(scenario);
  return scenario;
}

function parseJson(text: string): JsonObject {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (error) {
    throw invalidArgument('the scenario', text.slice(0, 40), `it is not JSON: ${(error as Error).message}`);
  }
  if (!isObject(file)) throw invalidArgument('the scenario', file, 'give a JSON object with "steps"');
  return file;
}

function stepsFrom(given: unknown): ScenarioStep[] {
  if (!Array.isArray(given) || given.length === 0 || given.length > mostSteps) {
    const count = Array.isArray(given) ? `${given.length} steps` : given;
    throw invalidArgument('steps', count, `give a list of 1 to ${mostSteps} steps`);
  }
  const steps = given.flatMap((step: unknown, i) => stepFrom(step, i + 1));
  const links = new Set(steps.map(({ linkId }) => linkId)).size;
  if (links > mostLinks) throw invalidArgument('links of the scenario', links, `name at most ${mostLinks}`);
  return steps.sort((a, b) => a.at - b.at || a.number - b.number);
}

function stepFrom(given: unknown, number: number): ScenarioStep[] {
  const where = `step ${number}`;
  if (!isObject(given))
    throw invalidArgument(where, given, 'give a JSON object with "at" and "set", "ramp" or "reset"');
  checkKeys(where, given, ['at', 'link', 'set', 'ramp', 'over', 'reset']);
  const kinds = (['set', 'ramp', 'reset'] as const).filter((kind) => given[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    throw invalidArgument(
      where,
      kinds.join(' and ') || 'without an action',
      'give exactly one of "set", "ramp" and "reset"',
    );
  }
  if (given.over !== undefined && kind !== 'ramp')
    throw invalidArgument(`${where}: over`, given.over, 'only a ramp takes time');
  if (kind === 'reset' && given.reset !== true) throw invalidArgument(`${where}: reset`, given.reset, 'use true');
  const at = seconds(`${where}: at`, given.at, 0, mostSeconds);
  const over = kind === 'ramp' ? seconds(`${where}: over`, given.over, leastResolution, mostSeconds) : 0;
  const patch = kind === 'reset' ? undefined : patchFrom(given[kind], kind, where);
  const values = flatten(patch ?? {});
  return linksFrom(given.link, kind, where).map((linkId) => ({ number, linkId, at, over, patch, values }));
}

function patchFrom(patch: unknown, kind: 'set' | 'ramp', where: string): JsonObject {
  checkedPatch(patch, `${where}: ${kind}`);
  const values = flatten(patch as JsonObject);
  if (values.size === 0) throw invalidArgument(`${where}: ${kind}`, patch, 'name what changes');
  for (const [path, value] of values) {
    if (kind === 'set' || typeof value === 'number') continue;
    throw invalidArgument(`${where}: ramp.${path}`, value, 'only numbers can be ramped; use "set"');
  }
  return patch as JsonObject;
}

function linksFrom(link: unknown, kind: string, where: string): string[] {
  if (link === undefined && kind !== 'reset') return [''];
  const links = Array.isArray(link) ? [...new Set(link)] : [link];
  for (const one of links) {
    if (typeof one === 'string' && isLinkId(one)) continue;
    const todo =
      kind === 'reset' && one === undefined
        ? 'name the link that is reset'
        : 'use ids of 1 to 64 characters of A-Z a-z 0-9 . _ : -';
    throw invalidArgument(`${where}: link`, one, todo);
  }
  if (links.length === 0) throw invalidArgument(`${where}: link`, link, 'name at least one link, or leave it out');
  return links as string[];
}

function loopFrom(loop: unknown, end: number, resolution: number): { length: number; rounds: number } {
  if (loop === undefined) return { length: end, rounds: 1 };
  if (!isObject(loop)) throw invalidArgument('loop', loop, 'give {"every": SECONDS, "times": N}');
  checkKeys('loop', loop, ['every', 'times']);
  const length = seconds('loop.every', loop.every, resolution, mostSeconds);
  if (length < end) throw invalidArgument('loop.every', length, `a round takes ${end} s: use at least that`);
  const { times } = loop;
  if (times === undefined) return { length, rounds: Number.POSITIVE_INFINITY };
  if (!Number.isInteger(times) || (times as number) < 1 || (times as number) > 1e9) {
    throw invalidArgument('loop.times', times, 'use a whole number of 1 to 1e9, or leave it out for no end');
  }
  return { length, rounds: times as number };
}

function seconds(what: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && value >= least && value <= most) return value;
  throw invalidArgument(what, value, `use ${least} to ${most} seconds`);
}

function checkKeys(where: string, value: JsonObject, keys: readonly string[]): void {
  const stranger = Object.keys(value).find((key) => !keys.includes(key));
  if (stranger)
    throw invalidArgument(
      `${where}: ${stranger}`,
      value[stranger],
      `there is no such key; there are ${keys.join(', ')}`,
    );
}
