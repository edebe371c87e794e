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

export function showSymbols(sample) {
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
