/** The link as it is: three services, whether each is up, and what its /metrics say. */
import { count, decibels, decimal, duration, percent, rate } from './format.js';

const states = { up: '● up', 'not-ready': '◐ not ready', down: '✗ down', unknown: '○ asking' };
const names = { 'transmitter-encoder': 'transmitter', 'channel-emulator': 'air', 'receiver-decoder': 'receiver' };

const chain = document.getElementById('chain');
const announce = document.getElementById('announce');
const nodes = new Map([...chain.querySelectorAll('.node')].map((node) => [node.dataset.role, node]));
/** Last state of each service that was told aloud. */
const told = new Map();

/** Writes a number and, so that it can be held against /metrics, where it is from. */
function put(element, text, raw) {
  if (!element) return;
  if (element.textContent !== text) element.textContent = text;
  for (const [key, value] of Object.entries(raw ?? {})) element.dataset[key] = String(value);
}

export function showLink({ services, channel, figures, traffic }) {
  for (const service of services) showService(service);
  put(document.getElementById('air-model'), channel?.model ?? '–');
  const uses = figures.channelUses;
  document.getElementById('hop-symbols').textContent = uses === null ? 'symbols' : `${decimal(uses)} symbols`;
  const allUp = services.every(({ state }) => state === 'up');
  chain.dataset.flows = String(allUp && !traffic.paused);
}

function showService({ role, state, reason, figures }) {
  const node = nodes.get(role);
  if (node.dataset.state !== state) {
    node.dataset.state = state;
    const badge = node.querySelector('.badge');
    badge.dataset.state = state;
    badge.textContent = states[state];
    tell(role, state);
  }
  const why = node.querySelector('.why');
  why.hidden = state === 'up' || state === 'unknown' || reason === '';
  if (!why.hidden && why.textContent !== reason) why.textContent = reason;
  showFigures(node, role, figures);
}

/** Says a change of state aloud; not that things are as one expects. */
function tell(role, state) {
  const before = told.get(role);
  if (state === 'unknown') return;
  told.set(role, state);
  if (before === undefined && state === 'up') return;
  const words = { up: 'up again', down: 'down', 'not-ready': 'not ready' };
  announce.textContent = `The ${names[role]} is ${words[state]}.`;
}

function showFigures(node, role, figures) {
  const at = (name) => node.querySelector(`[data-figure="${name}"]`);
  const total = (metric) => figures?.totals[metric];
  const raw = (metric, value) => ({ metric, service: role, value: value ?? '' });
  const recent = figures?.recent;
  const frames = total('semlink_frames_total');
  put(at('frames'), count(frames), raw('semlink_frames_total', frames));
  put(at('rate'), recent ? `${rate(recent.imagesPerSecond)} / s` : '–');
  put(at('batch'), recent ? decimal(recent.batchSize) : '–');
  const stages = Object.values(recent?.stages ?? {});
  put(at('stages'), stages.length > 0 ? stages.map(duration).join(', ') : '–');
  const lost = figures && (total('semlink_air_lost_total') ?? 0);
  put(at('lost'), count(lost), raw('semlink_air_lost_total', lost));
  const snr = figures?.link.semlink_snr_db;
  put(at('snr'), decibels(snr), raw('semlink_snr_db', snr));
  const correct = total('semlink_correct_total');
  const labelled = total('semlink_labelled_total');
  const share = labelled ? percent(correct / labelled) : '–';
  put(at('correct'), share, { ...raw('semlink_correct_total', correct), labelled: labelled ?? '' });
}
