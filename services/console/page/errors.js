/** The latest images without an answer, each with its trace. */
import { clock } from './format.js';

const body = document.getElementById('errors');
const none = document.getElementById('errors-none');
const scroll = document.getElementById('errors-scroll');
const total = document.getElementById('errors-count');
const mostRows = 50;

export function showErrors(errors) {
  for (const error of errors) body.prepend(rowOf(error));
  while (body.rows.length > mostRows) body.deleteRow(-1);
  none.hidden = true;
  scroll.hidden = false;
  // A region that scrolls must be reachable by keyboard.
  scroll.tabIndex = 0;
}

export function showErrorCount(errors) {
  total.textContent = errors > 0 ? `${errors} so far` : '';
}

function rowOf({ atMs, sequence, code, origin, message, traceId }) {
  const row = document.createElement('tr');
  row.append(cell(clock(atMs)), cell(sequence), cell(code), cell(origin), cell(message, 'what'), cell(''));
  const trace = document.createElement('code');
  trace.textContent = traceId === '' ? 'not traced' : traceId;
  if (traceId === '') trace.className = 'quiet';
  row.lastElementChild.append(trace);
  row.dataset.trace = traceId;
  return row;
}

function cell(text, name = '') {
  const element = document.createElement('td');
  element.textContent = text;
  if (name !== '') element.className = name;
  return element;
}
