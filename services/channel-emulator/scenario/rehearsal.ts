import type { LinkSettings } from '../control/link-settings.js';
import type { Links } from '../links.js';
import type { Scenario, ScenarioStep } from './scenario.js';
import { Timeline } from './timeline.js';

/** The steps of each link that a scenario changes; those of the default under the empty id. */
export function stepsByLink({ steps }: Pick<Scenario, 'steps'>): Map<string, ScenarioStep[]> {
  const byLink = new Map<string, ScenarioStep[]>();
  for (const step of steps) {
    const before = byLink.get(step.linkId);
    if (before) before.push(step);
    else byLink.set(step.linkId, [step]);
  }
  return byLink;
}

/**
 * Plays a scenario over what is set now, without setting anything: twice where it loops, since its second round starts
 * from the end of the first.
 * @throws SemlinkError INVALID_ARGUMENT naming the step and the setting that would be no good
 */
export function rehearse(scenario: Scenario, links: Links): void {
  for (const [linkId, steps] of stepsByLink(scenario)) {
    let current = links.settingsOf(linkId);
    const target = {
      settings: () => current,
      set: (settings: LinkSettings) => {
        current = links.checked(settings);
      },
      reset: () => {
        current = links.settingsOf('');
      },
    };
    for (let round = 0; round < Math.min(2, scenario.rounds); round++) {
      new Timeline(steps, scenario.resolution, target).advance(scenario.length);
    }
  }
}
