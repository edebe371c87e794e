import { CIFAR10_CLASS_NAMES } from '../../../shared/data/cifar10.js';
import { offeredModels, ranges } from '../http/requests.js';
import type { AnsweredImage } from '../link/answers.js';
import type { LiveLink } from '../live-link.js';
import type { ServiceWatch } from '../watch/service-watch.js';
import type { History } from './history.js';

export interface UpdateSources {
  readonly link: LiveLink;
  readonly watches: readonly ServiceWatch[];
  readonly history: History;
  readonly updateIntervalMs: number;
}

/** What a page has had; the next update brings what came after. */
export interface Cursor {
  setup: string;
  point: number;
  image: number;
  error: number;
  symbols: number;
}

/** Images of one update; of more, the latest. An eye follows no more than that. */
const imagesAnUpdate = 1;
/** Images a page that opens is given. */
const imagesAtFirst = 24;

/**
 * What is new for a page, as JSON, and moves its cursor on. Bounded: the state has a fixed form, and lists have only what
 * the console keeps.
 */
export function updateJson({ link, watches, history, updateIntervalMs }: UpdateSources, cursor: Cursor): string {
  const { traffic, answers, model, policy } = link;
  const setup = setupOf(link, updateIntervalMs);
  const first = cursor.setup === '';
  const images = answers.after(cursor.image, first ? imagesAtFirst : imagesAnUpdate);
  const points = history.after(cursor.point);
  const errors = link.errors.after(cursor.error);
  const symbols = link.symbols.after(cursor.symbols);
  const update = {
    atMs: Date.now(),
    state: {
      services: watches.map(({ view }) => view),
      channel: link.channel.view ?? null,
      policy,
      traffic: {
        paused: link.paused,
        rate: traffic.rate,
        sent: traffic.sent,
        inFlight: traffic.inFlight,
        heldBack: traffic.heldBack,
        answered: answers.answered,
        errors: answers.errors,
      },
      figures: answers.figures(),
    },
    ...(setup !== cursor.setup && { setup: JSON.parse(setup) as unknown }),
    ...(points.length > 0 && { points }),
    ...(images.length > 0 && { images: images.map((image) => withPixels(link, image, model?.classNames)) }),
    ...(errors.length > 0 && { errors }),
    ...(symbols && { symbols }),
  };
  cursor.setup = setup;
  cursor.point = points.at(-1)?.id ?? cursor.point;
  cursor.image = images.at(-1)?.id ?? cursor.image;
  cursor.error = errors.at(-1)?.id ?? cursor.error;
  cursor.symbols = symbols?.id ?? cursor.symbols;
  return JSON.stringify(update);
}

/** What seldom changes: sent once, and again when it has changed. */
function setupOf({ model }: LiveLink, updateIntervalMs: number): string {
  return JSON.stringify({
    updateIntervalMs,
    model: model && { version: model.version, channelUses: model.channelUses },
    channelModels: offeredModels,
    ranges,
  });
}

function withPixels(link: LiveLink, image: AnsweredImage, classNames: readonly string[] = CIFAR10_CLASS_NAMES): object {
  const { label, trueLabel } = image;
  return {
    ...image,
    rgb: Buffer.from(link.pixelsOf(image.index)).toString('base64'),
    trueName: CIFAR10_CLASS_NAMES[trueLabel] ?? String(trueLabel),
    name: label === undefined ? null : (classNames[label] ?? String(label)),
    correct: label === trueLabel,
  };
}
