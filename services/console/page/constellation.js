/** Symbols in the complex plane, before and after the air: the latest few hundred, older ones fainter. */

/** Half the width of the plane; the mean power of what is sent is 1. */
const reach = 2.6;
const mostPoints = 400;

const equalise = document.getElementById('equalise');
const planes = {
  sent: planeOf('plane-sent', '--dot'),
  received: planeOf('plane-received', '--dot-received'),
};

function planeOf(id, colour) {
  return { canvas: document.getElementById(id), colour, points: [] };
}

const powers = document.getElementById('powers');
/** Mean |s|^2 of each symbol, of the latest images of one length. */
let means = [];
/** Weight of a new image in the means. */
const freshness = 0.08;

export function showSymbols(sample) {
  const power = sample.sent.flatMap((re, i, all) => (i % 2 === 0 ? [re * re + all[i + 1] ** 2] : []));
  means = power.length === means.length ? power.map((one, i) => means[i] + freshness * (one - means[i])) : power;
  add(planes.sent.points, sample.sent);
  add(planes.received.points, equalise.checked ? sample.equalised : sample.received);
  requestAnimationFrame(draw);
}

/** Points of another kind would be shown among the new ones. */
equalise.addEventListener('change', () => {
  planes.received.points.length = 0;
  requestAnimationFrame(draw);
});

function add(points, values) {
  points.push(...values);
  if (points.length > 2 * mostPoints) points.splice(0, points.length - 2 * mostPoints);
}

export function draw() {
  const style = getComputedStyle(document.documentElement);
  const line = style.getPropertyValue('--line');
  for (const { canvas, colour, points } of Object.values(planes)) {
    drawPlane(canvas, points, style.getPropertyValue(colour).trim(), line);
  }
  drawPowers(style.getPropertyValue('--dot').trim(), line);
}

/** A bar a symbol; the line is the mean power, 1. */
function drawPowers(colour, line) {
  const scale = window.devicePixelRatio || 1;
  const width = Math.round(powers.clientWidth * scale);
  const height = Math.round(powers.clientHeight * scale);
  if (width === 0 || height === 0) return;
  if (powers.width !== width || powers.height !== height) {
    powers.width = width;
    powers.height = height;
  }
  const context = powers.getContext('2d');
  context.clearRect(0, 0, width, height);
  const most = Math.max(2, ...means);
  const step = width / Math.max(8, means.length);
  const gap = Math.min(3 * scale, step / 4);
  context.fillStyle = `rgba(${colour}, 0.8)`;
  means.forEach((power, i) => {
    const size = (power / most) * (height - scale);
    context.fillRect(i * step + gap / 2, height - size, step - gap, size);
  });
  context.fillStyle = line;
  context.fillRect(0, height - scale, width, scale);
  context.fillRect(0, height - (height - scale) / most, width, scale);
}

function drawPlane(canvas, points, colour, line) {
  const scale = window.devicePixelRatio || 1;
  const size = Math.round(canvas.clientWidth * scale);
  if (size === 0) return;
  if (canvas.width !== size) {
    canvas.width = size;
    canvas.height = size;
  }
  const context = canvas.getContext('2d');
  context.clearRect(0, 0, size, size);
  const half = size / 2;
  const unit = half / reach;
  context.strokeStyle = line;
  context.lineWidth = scale;
  context.beginPath();
  context.rect(scale / 2, scale / 2, size - scale, size - scale);
  context.moveTo(half, 0);
  context.lineTo(half, size);
  context.moveTo(0, half);
  context.lineTo(size, half);
  context.moveTo(half + unit, half);
  context.arc(half, half, unit, 0, 2 * Math.PI);
  context.stroke();
  const radius = 2.1 * scale;
  const count = points.length / 2;
  for (let i = 0; i < count; i++) {
    const age = (count - i) / mostPoints;
    context.fillStyle = `rgba(${colour}, ${(0.85 - 0.7 * age).toFixed(2)})`;
    context.beginPath();
    context.arc(place(points[2 * i], half, unit), size - place(points[2 * i + 1], half, unit), radius, 0, 2 * Math.PI);
    context.fill();
  }
}

/** What lies outside is drawn on the edge. */
function place(value, half, unit) {
  return half + Math.max(-reach + 0.06, Math.min(reach - 0.06, value)) * unit;
}
