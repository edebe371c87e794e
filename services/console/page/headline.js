/** What the latest answers of the console's own link say together. */
import { count, decimal, percent } from './format.js';

const at = (id) => document.getElementById(`figure-${id}`);

function put(id, text, unit, raw) {
  const element = at(id);
  element.dataset.value = raw ?? '';
  const number = element.firstChild;
  if (number?.nodeType === Node.TEXT_NODE) {
    if (number.data !== text) number.data = text;
    element.lastElementChild.textContent = unit;
    return;
  }
  const small = document.createElement('small');
  small.textContent = unit;
  element.replaceChildren(text, small);
}

/** Answers and when they were counted, for the rate of the last seconds. */
const seen = [];

export function showHeadline({ figures, traffic }, atMs) {
  seen.push({ atMs, answered: traffic.answered });
  while (seen.length > 2 && seen[1].atMs < atMs - 2_000) seen.shift();
  const seconds = (atMs - seen[0].atMs) / 1e3;
  const rate = seconds > 0.5 ? (traffic.answered - seen[0].answered) / seconds : null;
  const { accuracy, channelUses, payloadBytes, latencyMedianSeconds } = figures;
  put('accuracy', percent(accuracy).replace(' %', ''), accuracy === null ? '' : ' %', accuracy);
  put('uses', decimal(channelUses), '', channelUses);
  put('bytes', count(payloadBytes), ' of 3,072', payloadBytes);
  put(
    'latency',
    decimal(latencyMedianSeconds === null ? null : 1e3 * latencyMedianSeconds),
    ' ms',
    latencyMedianSeconds,
  );
  put('rate', decimal(rate), traffic.paused ? ' paused' : '', rate);
}
