/** What can be changed: the channel of the console's link, its policy, and how much is sent. */
import { decibels, hertz } from './format.js';

const at = (id) => document.getElementById(id);
const [snr, model, doppler, delay, policy, target, uses, rate, pause] = [
  'snr',
  'model',
  'doppler',
  'delay',
  'policy',
  'target',
  'uses',
  'rate',
  'pause',
].map(at);
const refusal = at('refusal');

/** For so long after a change by hand, what the console says of that control is old. */
const settleMs = 1_000;
const touched = new Map();
const touch = (control) => touched.set(control, performance.now());
const isSettled = (control) => performance.now() - (touched.get(control) ?? Number.NEGATIVE_INFINITY) > settleMs;

/** Sliders that are not linear: position 0 to 100, and what it stands for. */
const logarithmic = (least, greatest) => ({
  valueOf: (position) => least * (greatest / least) ** (position / 100),
  positionOf: (value) => (100 * Math.log(Math.max(value, least) / least)) / Math.log(greatest / least),
});
const dopplerScale = logarithmic(1, 100_000);
const rateScale = logarithmic(0.5, 500);
/** Two digits are enough for a slider. */
const rounded = (value) => Number(value.toPrecision(2));

/** What a slider stands for, or the exact value where it is between two of its positions. */
const words = {
  snr: () => decibels(Number(snr.value)),
  doppler: () => (doppler.disabled ? 'not of this model' : hertz(rounded(dopplerScale.valueOf(Number(doppler.value))))),
  delay: () => `${delay.value} ms`,
  target: () => `${target.value} %`,
  rate: (exact) => String(exact ?? rounded(rateScale.valueOf(Number(rate.value)))),
};

function say(control, exact) {
  const text = words[control.id](exact);
  if (control.getAttribute('aria-valuetext') === text) return;
  at(`${control.id}-value`).textContent = text;
  control.setAttribute('aria-valuetext', text);
}

/** Posts go out one after the other; of those that wait for the same place the newest is enough. */
const waiting = new Map();
let posting = false;

async function post(path, change) {
  waiting.set(path, { ...waiting.get(path), ...change });
  if (posting) return;
  posting = true;
  while (waiting.size > 0) {
    const [[next, body]] = waiting;
    waiting.delete(next);
    refusal.textContent = await send(next, body);
  }
  posting = false;
}

/** What went wrong, for a person; empty when nothing did. */
async function send(path, body) {
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return response.ok ? '' : (await response.json()).error;
  } catch {
    return 'The console does not answer; the change was not made.';
  }
}

function onInput(control, run) {
  control.addEventListener('input', () => {
    touch(control);
    if (words[control.id]) say(control);
    void run();
  });
}

onInput(snr, () => post('api/channel', { snrDb: Number(snr.value) }));
onInput(model, () => post('api/channel', { model: model.value }));
onInput(doppler, () => post('api/channel', { dopplerHz: rounded(dopplerScale.valueOf(Number(doppler.value))) }));
onInput(delay, () => post('api/channel', { feedbackDelayMs: Number(delay.value) }));
onInput(policy, () => {
  showPolicyFields();
  return postPolicy();
});
onInput(target, () => postPolicy());
onInput(uses, () => postPolicy());
onInput(rate, () => post('api/traffic', { rate: rounded(rateScale.valueOf(Number(rate.value))) }));
pause.addEventListener('click', () => {
  touch(pause);
  const paused = pause.getAttribute('aria-pressed') !== 'true';
  showPaused(paused);
  void post('api/traffic', { paused });
});

async function postPolicy() {
  for (const control of [policy, target, uses]) touch(control);
  const channelUses = Number(uses.value);
  const kinds = {
    'target-accuracy': { kind: 'target-accuracy', accuracy: Number(target.value) / 100 },
    fixed: { kind: 'fixed', channelUses },
    budget: { kind: 'budget', maxChannelUses: channelUses },
  };
  // Whole, not merged with one that waits.
  waiting.delete('api/policy');
  await post('api/policy', kinds[policy.value]);
}

function showPolicyFields() {
  for (const element of document.querySelectorAll('[data-policy]')) {
    element.hidden = !element.dataset.policy.split(' ').includes(policy.value);
  }
}

function showPaused(paused) {
  pause.setAttribute('aria-pressed', String(paused));
  pause.textContent = paused ? 'Go on' : 'Pause';
}

/** What the page offers, once it is known. */
export function showSetup({ channelModels, model: published }) {
  fill(model, channelModels);
  fill(uses, published?.channelUses ?? [2, 4, 8, 16, 32, 64, 128]);
}

function fill(select, values) {
  const { value } = select;
  select.replaceChildren(...values.map((one) => new Option(one, one)));
  if (value !== '') select.value = value;
}

/** Sets the controls as things are, except those that a hand is at. */
export function showControls({ channel, policy: current, traffic }) {
  if (channel) {
    set(snr, channel.snrDb);
    if (isSettled(model) && document.activeElement !== model) choose(model, channel.model);
    doppler.disabled = channel.dopplerHz === null;
    set(doppler, Math.round(dopplerScale.positionOf(channel.dopplerHz ?? 1)), channel.dopplerHz ?? undefined);
    set(delay, channel.feedbackDelayMs);
  }
  if (isSettled(policy)) {
    policy.value = current.kind;
    if (current.kind === 'target-accuracy') set(target, Math.round(100 * current.accuracy));
    else if (isSettled(uses)) choose(uses, current.channelUses ?? current.maxChannelUses);
    showPolicyFields();
  }
  set(rate, Math.round(rateScale.positionOf(traffic.rate)), traffic.rate);
  if (isSettled(pause)) showPaused(traffic.paused);
}

function set(slider, value, exact) {
  if (!isSettled(slider)) return;
  if (slider.value !== String(value)) slider.value = String(value);
  say(slider, exact);
}

/** Chooses a value that the list may not have: it was set by other means. */
function choose(select, value) {
  const text = String(value);
  if (select.value === text) return;
  if (![...select.options].some((option) => option.value === text)) select.append(new Option(text, text));
  select.value = text;
}

/** Moves the SNR by so many dB, as a hand would. */
export function moveSnr(byDb) {
  snr.value = String(Number(snr.value) + byDb);
  snr.dispatchEvent(new Event('input'));
}
