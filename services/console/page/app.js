/** The page: what the console tells goes to the parts that show it. */
import { addPoints, buildCharts, fitCharts } from './charts.js';
import { draw, showSymbols } from './constellation.js';
import { showControls, showSetup } from './controls.js';
import { showErrorCount, showErrors } from './errors.js';
import { openFeed } from './feed.js';
import { showHeadline } from './headline.js';
import { showImages } from './images.js';
import { showLink } from './link.js';
import './shortcuts.js';

const feedState = document.getElementById('feed-state');
const words = { connecting: 'connecting', live: 'live', lost: 'the console does not answer; trying again' };

let modelVersion = '';
let updates = 0;

function onState(state) {
  if (feedState.dataset.state !== state) feedState.dataset.state = state;
  const text = state === 'live' && modelVersion !== '' ? `live, ${modelVersion}` : words[state];
  if (feedState.textContent !== text) feedState.textContent = text;
}

function onUpdate({ atMs, state, setup, points, images, errors, symbols }) {
  if (setup) {
    modelVersion = setup.model?.version ?? '';
    showSetup(setup);
  }
  showLink(state);
  showHeadline(state, atMs);
  showControls(state);
  if (points) addPoints(points);
  if (images) showImages(images);
  if (errors) showErrors(errors);
  showErrorCount(state.traffic.errors);
  if (symbols) showSymbols(symbols);
  document.documentElement.dataset.updates = String(++updates);
}

buildCharts();
draw();
openFeed({ onUpdate, onState });

new ResizeObserver(() => {
  fitCharts();
  draw();
}).observe(document.querySelector('main'));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  buildCharts();
  draw();
});
