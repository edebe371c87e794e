import { OTHER } from './names.js';

/** Most links that get label values of their own, unless a service says otherwise. */
export const DEFAULT_LINK_LIMIT = 100;

/**
 * Keeps a label to a bounded number of values: the first `limit` keep their own, later ones share `other`. A metric
 * costs memory here and in every scraper for each value it has ever had, and link ids are chosen by clients.
 */
export class BoundedLabels {
  readonly #known = new Set<string>();
  readonly #limit: number;
  readonly #allowed: RegExp;

  /**
   * @param limit values besides `other`, at least 0
   * @param allowed values that do not match go to `other` at once
   */
  constructor(limit: number, allowed = /^[\w.:-]{1,64}$/) {
    if (!Number.isInteger(limit) || limit < 0) {
      throw new RangeError(`the number of label values must be a whole number from 0, not ${limit}`);
    }
    this.#limit = limit;
    this.#allowed = allowed;
  }

  /** The label value to use for `value`; the same every time. At most `limit` + 1 different ones are ever returned. */
  fold(value: string): string {
    if (this.#known.has(value)) return value;
    if (this.#known.size >= this.#limit || !this.#allowed.test(value)) return OTHER;
    this.#known.add(value);
    return value;
  }
}

/** Label values of links: ids of the contract, at most `limit` of them. */
export class LinkLabels extends BoundedLabels {
  constructor(limit = DEFAULT_LINK_LIMIT) {
    super(limit, /^[A-Za-z0-9._:-]{1,64}$/);
  }
}
