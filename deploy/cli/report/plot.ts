import type { Figure, FigurePoint, Series } from './figure.js';

const WIDTH = 440;
const HEIGHT = 300;
const MARGIN = { left: 52, right: 14, top: 12, bottom: 44 };
const LEGEND_LINE = 17;

/** Tol's bright scheme, told apart by colour-blind people, on light and on dark; markers differ too. */
const LIGHT = ['#4477aa', '#d1495b', '#228833', '#a3901f', '#2a9fc4', '#aa3377', '#6b6b6b', '#994f00'];
const DARK = ['#7fb2e5', '#ff8a94', '#5fc26c', '#e0cc57', '#7fdcf5', '#e07fb5', '#b8b8b8', '#e59f4d'];

const colours = (list: string[]) => list.map((c, i) => `.s${i}{stroke:${c}}.f${i}{fill:${c};stroke:${c}}`).join('');

/** Styles of every plot: in the page once, in each SVG file too. */
export const PLOT_STYLE = `.plot text{font:12px system-ui,sans-serif;fill:#333}.plot .axis{stroke:#777;fill:none}.plot .grid{stroke:#ddd}
.plot .curve{fill:none;stroke-width:2}.plot .dashed{stroke-width:1.6;stroke-dasharray:5 4}.plot .bar{stroke-width:1.2}
${colours(LIGHT)}
@media (prefers-color-scheme:dark){.plot text{fill:#ddd}.plot .axis{stroke:#888}.plot .grid{stroke:#3a3d44}${colours(DARK)}}`;

/** A figure as an SVG element without outside references. `standalone`: with its styles, for a file of its own. */
export function plot(figure: Figure, standalone: boolean): string {
  const { x, y, series } = figure;
  // Long names get a line each, so that none is cut.
  const columns = series.some(({ name }) => name.length > 24) ? 1 : 2;
  const height = HEIGHT + LEGEND_LINE * Math.ceil(series.length / columns) + 6;
  const all = series.flatMap(({ points }) => points);
  const map = (value: number) => (x.log2 ? Math.log2(value) : value);
  const xs = all.map((p) => map(p.x));
  const [low, high] = xs.length > 0 ? [Math.min(...xs), Math.max(...xs)] : [0, 1];
  const span = high - low || 1;
  const inner = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
  const isPercent = y.label.includes('%');
  const top = isPercent ? 100 : niceTop(Math.max(1, ...all.map((p) => p.y)));
  const atX = (value: number) => MARGIN.left + ((map(value) - low) / span) * inner.width;
  const atY = (value: number) => MARGIN.top + (1 - value / top) * inner.height;

  const rows = Array.from({ length: 6 }, (_, i) => (top * i) / 5).map(
    (value) =>
      `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${px(atY(value))}" y2="${px(atY(value))}"/>` +
      `<text x="${MARGIN.left - 7}" y="${px(atY(value) + 4)}" text-anchor="end">${Number(value.toFixed(2))}</text>`,
  );
  const ticks = ticksOf(figure, low, high).map(
    (value) =>
      `<line class="axis" x1="${px(atX(value))}" x2="${px(atX(value))}" y1="${px(atY(0))}" y2="${px(atY(0) + 4)}"/>` +
      `<text x="${px(atX(value))}" y="${px(atY(0) + 17)}" text-anchor="middle">${value}</text>`,
  );
  const curves = series.map((s, i) =>
    curve(
      s,
      i,
      (p) => [atX(p.x), atY(p.y)],
      (p) => atY(p.y - (p.error ?? 0)) - atY(p.y),
      figure,
    ),
  );
  const legend = series.map((s, i) => {
    const left = MARGIN.left - 30 + (i % columns) * (WIDTH / columns);
    const middle = HEIGHT + LEGEND_LINE * Math.floor(i / columns) + 4;
    const line =
      s.style === 'dots'
        ? ''
        : `<line class="curve s${i % LIGHT.length}${s.style === 'dashed' ? ' dashed' : ''}" x1="${left}" x2="${left + 22}" y1="${middle}" y2="${middle}"/>`;
    return `${line}${s.style === 'dashed' ? '' : marker(i, left + 11, middle)}<text x="${left + 28}" y="${middle + 4}">${escapeText(s.name)}</text>`;
  });
  const style = standalone ? `<style>${PLOT_STYLE}</style>` : '';
  const namespace = standalone ? ' xmlns="http://www.w3.org/2000/svg"' : '';
  return (
    `<svg${namespace} class="plot" id="${figure.id}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeText(figure.title)}">${style}` +
    `${rows.join('')}${ticks.join('')}` +
    `<path class="axis" d="M${MARGIN.left} ${MARGIN.top}V${px(atY(0))}H${WIDTH - MARGIN.right}"/>` +
    `<text x="${MARGIN.left + inner.width / 2}" y="${HEIGHT - 10}" text-anchor="middle">${escapeText(x.label)}</text>` +
    `<text transform="translate(13 ${MARGIN.top + inner.height / 2}) rotate(-90)" text-anchor="middle">${escapeText(y.label)}</text>` +
    `${curves.join('')}${legend.join('')}</svg>`
  );
}

function curve(
  { name, points, style }: Series,
  index: number,
  at: (p: FigurePoint) => [number, number],
  errorLength: (p: FigurePoint) => number,
  { x, y }: Figure,
): string {
  const colour = index % LIGHT.length;
  const path = points.map((p, i) => `${i === 0 ? 'M' : 'L'}${at(p).map(px).join(' ')}`).join('');
  const line =
    style === 'dots' ? '' : `<path class="curve s${colour}${style === 'dashed' ? ' dashed' : ''}" d="${path}"/>`;
  const marks = points.map((p) => {
    const [left, middle] = at(p);
    const length = p.error ? errorLength(p) : 0;
    const bar = length
      ? `<path class="bar s${colour}" d="M${px(left)} ${px(middle - length)}V${px(middle + length)}M${px(left - 3)} ${px(middle - length)}h6M${px(left - 3)} ${px(middle + length)}h6"/>`
      : '';
    const text = `${name}; ${x.label}: ${p.x}; ${y.label}: ${p.y}${p.error === undefined ? '' : ` ± ${p.error}`}`;
    const shape =
      style === 'dashed'
        ? `<circle cx="${px(left)}" cy="${px(middle)}" r="4" fill="transparent"/>`
        : marker(index, left, middle);
    return `<g>${bar}${shape}<title>${escapeText(text)}</title></g>`;
  });
  return line + marks.join('');
}

/** A filled mark whose shape differs from series to series. */
function marker(index: number, x: number, y: number): string {
  const r = 3.6;
  const shapes = [
    `M${px(x - r)} ${px(y)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`,
    `M${px(x - r + 0.4)} ${px(y - r + 0.4)}h${2 * r - 0.8}v${2 * r - 0.8}h${-(2 * r - 0.8)}z`,
    `M${px(x)} ${px(y - r - 0.6)}L${px(x + r)} ${px(y + r - 0.6)}H${px(x - r)}z`,
    `M${px(x)} ${px(y - r - 0.8)}L${px(x + r + 0.8)} ${px(y)}L${px(x)} ${px(y + r + 0.8)}L${px(x - r - 0.8)} ${px(y)}z`,
  ];
  return `<path class="f${index % LIGHT.length}" d="${shapes[index % shapes.length]}"/>`;
}

function ticksOf({ x, series }: Figure, low: number, high: number): number[] {
  if (x.log2) {
    const first = Math.ceil(low - 1e-9);
    return Array.from({ length: Math.floor(high + 1e-9) - first + 1 }, (_, i) => 2 ** (first + i));
  }
  const values = [...new Set(series.flatMap(({ points }) => points.map((p) => p.x)))];
  if (values.length <= 6) return values;
  const step = [1, 2, 5, 10, 20, 25, 50, 100].find((s) => (high - low) / s <= 7) ?? (high - low) / 6;
  const first = Math.ceil(low / step) * step;
  return Array.from({ length: Math.floor((high - first) / step) + 1 }, (_, i) => first + i * step);
}

const niceTop = (most: number) => {
  const unit = 10 ** Math.floor(Math.log10(most));
  return Math.ceil(most / unit) * unit;
};

const px = (value: number) => String(Number(value.toFixed(1)));

/** Text for HTML and SVG, attributes too. */
export function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
