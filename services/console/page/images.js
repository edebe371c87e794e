/** Images that went in, with the answers that came out. A tile keeps its place, so that nothing moves. */
import { percent } from './format.js';

const list = document.getElementById('images');
const edge = 32;
const tileCount = 24;
let next = 0;

const tiles = Array.from({ length: tileCount }, () => {
  const item = document.createElement('li');
  const canvas = document.createElement('canvas');
  canvas.width = edge;
  canvas.height = edge;
  canvas.setAttribute('aria-hidden', 'true');
  const answer = document.createElement('span');
  const truth = document.createElement('span');
  truth.className = 'truth';
  item.append(canvas, answer, truth);
  list.append(item);
  return { item, canvas, answer, truth };
});

const marks = { right: '✓', wrong: '✗', failed: '!' };

export function showImages(images) {
  for (const image of images) showImage(tiles[next++ % tileCount], image);
}

function showImage({ item, canvas, answer, truth }, image) {
  const { name, trueName, correct, confidence, channelUses } = image;
  const outcome = name === null ? 'failed' : correct ? 'right' : 'wrong';
  item.dataset.outcome = outcome;
  item.dataset.sequence = image.sequence;
  draw(canvas, image.rgb);
  const mark = document.createElement('b');
  mark.className = `mark ${outcome}`;
  mark.textContent = marks[outcome];
  answer.replaceChildren(mark, ` ${name ?? 'no answer'}`);
  truth.textContent = outcome === 'right' ? '' : trueName;
  item.title =
    outcome === 'failed'
      ? `${trueName}: no answer`
      : `${trueName}, answered ${name} (${percent(confidence)} sure), ${channelUses} symbols`;
}

function draw(canvas, rgb) {
  const bytes = Uint8Array.from(atob(rgb), (character) => character.charCodeAt(0));
  const pixels = new ImageData(edge, edge);
  for (let from = 0, to = 0; from < bytes.length; from += 3, to += 4) {
    pixels.data[to] = bytes[from];
    pixels.data[to + 1] = bytes[from + 1];
    pixels.data[to + 2] = bytes[from + 2];
    pixels.data[to + 3] = 255;
  }
  canvas.getContext('2d').putImageData(pixels, 0, 0);
}
