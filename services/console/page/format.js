/** Numbers as people read them. What is not known is a dash. */

const dash = '–';
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const oneDecimal = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

export const count = (value) => (known(value) ? whole.format(value) : dash);
export const decimal = (value) => (known(value) ? oneDecimal.format(value) : dash);
export const decibels = (value) => (known(value) ? `${oneDecimal.format(value).replace('-', '−')} dB` : dash);
export const percent = (share) => (known(share) ? `${oneDecimal.format(100 * share)} %` : dash);
/** A rate: with a decimal where it is small. */
export const rate = (value) => (known(value) ? (value < 20 ? oneDecimal : whole).format(value) : dash);

/** Seconds in the unit that suits them. */
export function duration(seconds) {
  if (!known(seconds)) return dash;
  if (seconds >= 1) return `${oneDecimal.format(seconds)} s`;
  const ms = 1e3 * seconds;
  return ms >= 0.1 || ms === 0
    ? `${ms < 20 ? oneDecimal.format(ms) : whole.format(ms)} ms`
    : `${whole.format(1e3 * ms)} µs`;
}

export function hertz(value) {
  if (!known(value)) return dash;
  return value >= 1e3 ? `${oneDecimal.format(value / 1e3)} kHz` : `${whole.format(value)} Hz`;
}

export const clock = (ms) => new Date(ms).toTimeString().slice(0, 8);
