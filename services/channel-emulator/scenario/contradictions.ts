import { Code, SemlinkError, showValue } from '../../../shared/rpc/errors.js';
import type { Scenario, ScenarioStep } from './scenario.js';

/**
 * Refuses what cannot be meant: two steps that set the same value of a link to different things at the same time, a step
 * that touches what a ramp is moving, and a change of the symbol rate by which a scenario's clock runs.
 * @throws SemlinkError INVALID_ARGUMENT naming both steps, the link, the time and what they disagree about
 */
export function checkNoContradiction({ clock, steps }: Pick<Scenario, 'clock' | 'steps'>): void {
  const byLink = new Map<string, ScenarioStep[]>();
  for (const step of steps) {
    if (clock === 'air') checkOnAir(step);
    const before = byLink.get(step.linkId);
    if (before) before.push(step);
    else byLink.set(step.linkId, [step]);
  }
  for (const linkSteps of byLink.values()) checkLink(linkSteps);
}

function checkOnAir({ number, linkId, values }: ScenarioStep): void {
  if (linkId === '') {
    throw contradiction(
      `step ${number} changes the default, and the scenario runs on the time of each link's air`,
      'name the links, or use "clock": "wall"',
    );
  }
  if (values.has('air.symbolRateHz')) {
    throw contradiction(
      `step ${number} changes air.symbolRateHz of link "${linkId}", by which its time on the air is counted`,
      'leave it out, or use "clock": "wall"',
    );
  }
}

/** Steps of one link, by time. */
function checkLink(steps: readonly ScenarioStep[]): void {
  /** Ramps that may not be over yet. */
  let ramps: ScenarioStep[] = [];
  /** Steps at the time looked at. */
  let together: ScenarioStep[] = [];
  for (const step of steps) {
    ramps = ramps.filter((ramp) => ramp.at + ramp.over > step.at);
    if (together[0]?.at !== step.at) together = [];
    for (const other of together) checkTogether(other, step);
    for (const ramp of ramps) {
      // What is set at the very start of a ramp is what it starts from.
      if (ramp.at < step.at || step.over > 0) checkDuring(ramp, step);
    }
    together.push(step);
    if (step.over > 0) {
      // Set after the ramp in the file, at the same time: still before it.
      ramps.push(step);
    }
  }
}

function checkTogether(one: ScenarioStep, other: ScenarioStep): void {
  if (one.over > 0 || other.over > 0) return;
  const both = `step ${one.number} and step ${other.number}`;
  const when = `of ${nameOf(one)} at ${one.at} s`;
  if (!one.patch || !other.patch) {
    if (one.patch === other.patch) return;
    throw contradiction(`${both} both reset and set settings ${when}`, 'give them different times');
  }
  for (const [path, value] of one.values) {
    const different = other.values.has(path) && !same(other.values.get(path), value);
    if (different) {
      const values = `to ${showValue(value)} and ${showValue(other.values.get(path))}`;
      throw contradiction(`${both} set ${path} ${when} ${values}`, 'leave one out, or give them different times');
    }
    const clash = [...other.values.keys()].find((name) => overlaps(path, name) && path !== name);
    if (clash) throw contradiction(`${both} set ${path} and ${clash} ${when}`, 'they decide the same: leave one out');
  }
}

function checkDuring(ramp: ScenarioStep, step: ScenarioStep): void {
  const end = ramp.at + ramp.over;
  const during = `step ${step.number} at ${step.at} s`;
  const moving = `step ${ramp.number} ramps`;
  const until = `of ${nameOf(ramp)} from ${ramp.at} to ${end} s`;
  if (!step.patch)
    throw contradiction(`${during} resets the link while ${moving} settings ${until}`, 'move one of them');
  for (const path of ramp.values.keys()) {
    const clash = [...step.values.keys()].find((name) => overlaps(path, name) || replaces(name, path));
    if (clash) throw contradiction(`${during} changes ${clash} while ${moving} ${path} ${until}`, 'move one of them');
  }
}

/** Whether two paths decide the same thing: one within the other, or SNR and the budget that makes it. */
function overlaps(a: string, b: string): boolean {
  const within = (one: string, other: string) => one === other || one.startsWith(`${other}.`);
  const snr = (one: string, other: string) => one === 'channel.snrDb' && within(other, 'budget');
  return within(a, b) || within(b, a) || snr(a, b) || snr(b, a);
}

/** Another model has other parameters than the ones that are being ramped. */
function replaces(path: string, ramped: string): boolean {
  return path === 'channel.model' && ramped.startsWith('channel.') && !/^channel\.(snrDb|impairments)/.test(ramped);
}

function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

function nameOf({ linkId }: ScenarioStep): string {
  return linkId === '' ? 'the default' : `link "${linkId}"`;
}

function contradiction(what: string, todo: string): SemlinkError {
  return new SemlinkError(Code.INVALID_ARGUMENT, `the scenario contradicts itself: ${what}; ${todo}`);
}
