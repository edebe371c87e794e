import { type ChannelSettings, typicalSettings } from '../../shared/channel/channel-config.js';
import type { SemanticLink } from '../../shared/client/link.js';
import type { ImageSource } from '../../shared/data/source.js';
import type { ChannelControl } from './channel-control.js';
import type { ProgressLine } from './progress-line.js';
import { sendImages } from './send-images.js';
import { milliseconds, percent } from './sweep-table.js';
import type { Tally } from './tally.js';

export interface SweepOptions {
  linkId: string;
  channelModel: ChannelSettings['model'];
  /** Average Es/N0 of each point, dB; empty: one run over the channel as it is. */
  snrDb: readonly number[];
  /** Images of each point. */
  images: number;
  /** Starts over at the end of the source when a point wants more images than it has. */
  loop: boolean;
}

/**
 * Sends a source's images at one SNR after the other. A point begins when all of the last have been answered, so that
 * each answer belongs to the SNR that was set.
 *
 * @param onPoint called after each point with its SNR
 */
export async function sweep(
  { link, control, source }: { link: SemanticLink; control: ChannelControl | undefined; source: ImageSource },
  options: SweepOptions,
  tally: Tally,
  progress: ProgressLine,
  onPoint: (snrDb: number) => void = () => {},
): Promise<void> {
  const points: (number | undefined)[] = options.snrDb.length > 0 ? [...options.snrDb] : [undefined];
  const total = points.length * options.images;
  for (const snrDb of points) {
    const start = performance.now();
    if (snrDb !== undefined) await control?.set(options.linkId, typicalSettings(options.channelModel, snrDb));
    tally.idleSeconds += (performance.now() - start) / 1e3;
    const { images: limit, loop } = options;
    await sendImages(link, source, { limit, loop }, tally, () => {
      const { all } = tally;
      const done = all.received + all.errors;
      const here = snrDb === undefined ? all : tally.at(snrDb);
      progress.update(
        [
          ...(snrDb === undefined ? [] : [`${snrDb} dB`]),
          `${done}/${total} images`,
          `${tally.imagesPerSecond.toFixed(0)}/s`,
          `accuracy ${percent(here.accuracy)} %`,
          `k ${here.meanChannelUses.toFixed(1)}`,
          `latency ${milliseconds(here.latency.quantile(0.5))}`,
          ...(all.errors > 0 ? [`errors ${all.errors}`] : []),
        ].join('  '),
        done / total,
      );
    });
    if (snrDb !== undefined) onPoint(snrDb);
  }
}
