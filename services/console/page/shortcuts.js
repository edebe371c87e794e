/** Keys; the page's list of them is in index.html. */
import { moveSnr } from './controls.js';

const help = document.getElementById('help');
const click = (id) => () => document.getElementById(id).click();
const focus = (id) => () => {
  const control = document.getElementById(id);
  control.focus();
  control.scrollIntoView({ block: 'nearest' });
};

const keys = {
  p: click('pause'),
  '[': () => moveSnr(-1),
  ']': () => moveSnr(1),
  s: focus('snr'),
  m: focus('model'),
  d: focus('doppler'),
  f: focus('delay'),
  o: focus('policy'),
  r: focus('rate'),
  e: click('equalise'),
  '?': () => help.showModal(),
};

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat === true) {
    if (!(event.repeat && (event.key === '[' || event.key === ']'))) return;
  }
  // In a list a letter chooses an entry.
  if (help.open || event.target.matches?.('select')) return;
  const run = keys[event.key];
  if (!run) return;
  event.preventDefault();
  run();
});

document.getElementById('help-open').addEventListener('click', () => help.showModal());
