import type { LinkAnswer, LinkImage, SemanticLink } from '../../shared/client/link.js';
import { type ImageRange, type ImageSource, isReadable } from '../../shared/data/source.js';
import type { Tally } from './tally.js';

/**
 * Sends a source's images over a link and counts every one, as a result or as a named error.
 *
 * @param onAnswer called after each answer has been counted
 */
export async function sendImages(
  link: SemanticLink,
  source: ImageSource,
  range: ImageRange,
  tally: Tally,
  onAnswer: (answer: LinkAnswer<string>) => void,
): Promise<void> {
  const images = async function* (): AsyncGenerator<{ image: LinkImage; context: string }> {
    for await (const one of source.images(range)) {
      if (!isReadable(one)) {
        tally.addUnsent(`unreadable image: ${one.error}`);
        continue;
      }
      tally.sent();
      const { rgb, label, name } = one;
      yield { image: { rgb, label, width: source.width, height: source.height }, context: name };
    }
  };
  for await (const answer of link.transmit(images())) {
    tally.add(answer.result, answer.latencySeconds);
    onAnswer(answer);
  }
}
