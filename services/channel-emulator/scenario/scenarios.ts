import { alreadyExists, failedPrecondition, notFound, resourceExhausted } from '../../../shared/rpc/errors.js';
import type { Links } from '../links.js';
import { ScenarioPlayer, type ScenarioProgress } from './player.js';
import { parseScenario } from './scenario.js';

/** Scenarios that can run at once. */
const mostScenarios = 64;

/** The scenarios that are running or paused. No two of them change the same link. */
export class Scenarios {
  readonly #links: Links;
  readonly #players = new Map<string, ScenarioPlayer>();
  readonly #onEnd: (progress: ScenarioProgress) => void;

  /** `onEnd`: hears of every scenario's end. */
  constructor(links: Links, onEnd: (progress: ScenarioProgress) => void = () => {}) {
    this.#links = links;
    this.#onEnd = onEnd;
  }

  get size(): number {
    return this.#players.size;
  }

  /**
   * Starts a scenario file.
   * @param onProgress called at once, after its steps, and at its end
   * @returns its name
   * @throws SemlinkError INVALID_ARGUMENT when it is no good, ALREADY_EXISTS or FAILED_PRECONDITION when one of its name
   * or one that changes the same link is running, RESOURCE_EXHAUSTED when too many are
   */
  run(text: string, onProgress: (progress: ScenarioProgress) => void): string {
    const scenario = parseScenario(text);
    const { name } = scenario;
    if (this.#players.has(name)) {
      throw alreadyExists('name of the scenario', name, 'one with it is running: stop that, or give this another name');
    }
    if (this.#players.size >= mostScenarios) {
      throw resourceExhausted('number of running scenarios', this.#players.size, 'stop one of them first');
    }
    const linkIds = new Set(scenario.steps.map(({ linkId }) => linkId));
    for (const other of this.#players.values()) {
      const both = other.linkIds.find((linkId) => linkIds.has(linkId));
      if (both === undefined) continue;
      const what = both === '' ? 'the default channel' : `link "${both}"`;
      throw failedPrecondition(`scenario that changes ${what}`, other.scenario.name, 'it is running: stop it first');
    }
    const player = new ScenarioPlayer(scenario, this.#links, (progress) => {
      onProgress(progress);
      if (progress.state === 'running' || progress.state === 'paused') return;
      this.#players.delete(name);
      this.#onEnd(progress);
    });
    this.#players.set(name, player);
    player.start();
    return name;
  }

  /** @throws SemlinkError NOT_FOUND when no scenario of that name is running */
  control(name: string, action: 'pause' | 'resume' | 'stop'): ScenarioProgress {
    const player = this.#players.get(name);
    if (!player) {
      const names = [...this.#players.keys()].join(', ') || 'none';
      throw notFound('name of the scenario', name, `running: ${names}`);
    }
    player[action]();
    return player.progress;
  }

  list(): ScenarioProgress[] {
    return [...this.#players.values()].map(({ progress }) => progress);
  }

  /** Stops all of them. */
  close(): void {
    for (const player of [...this.#players.values()]) player.stop();
  }
}
