/** A profile of V8 as a flame graph: one SVG without scripts or outside references. */
import path from 'node:path';
import { escapeText } from '../../deploy/cli/report/plot.js';

/** What V8's sampling profiler writes (.cpuprofile); times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly samples?: readonly number[];
  readonly timeDeltas?: readonly number[];
}

/** A function as it was reached along one path of calls. */
export interface Frame {
  readonly name: string;
  readonly place: string;
  /** Microseconds in it, and in it and all it called. */
  self: number;
  total: number;
  readonly children: Map<string, Frame>;
}

const idle = '(idle)';

/**
 * Calls by path, the root on top. A sample counts for the time since the one before, but for no more than five times the
 * usual: in longer gaps the system ran something else, which is not the fault of the function that was interrupted. Time in
 * which the process waited, or was busy with the profile itself, is left out.
 */
export function framesOf(profile: CpuProfile): Frame {
  const selfOf = new Map<number, number>();
  const { samples = [], timeDeltas = [] } = profile;
  const most = 5 * (timeDeltas.toSorted((a, b) => a - b)[timeDeltas.length >> 1] ?? 0);
  for (const [i, id] of samples.entries()) {
    selfOf.set(id, (selfOf.get(id) ?? 0) + Math.min(timeDeltas[i] ?? 0, most));
  }
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const root = newFrame('all', '');
  const add = (id: number, parent: Frame): number => {
    const { callFrame, children = [] } = nodes.get(id)!;
    // The inspector is there only because of the profile.
    if (callFrame.functionName === idle || callFrame.url === 'node:inspector') return 0;
    const place = placeOf(callFrame);
    const name = callFrame.functionName || '(anonymous)';
    let frame = parent.children.get(`${name} ${place}`);
    if (!frame) {
      frame = newFrame(name, place);
      parent.children.set(`${name} ${place}`, frame);
    }
    const self = selfOf.get(id) ?? 0;
    let total = self;
    for (const child of children) total += add(child, frame);
    frame.self += self;
    frame.total += total;
    return total;
  };
  for (const child of profile.nodes[0]?.children ?? []) root.total += add(child, root);
  return root;
}

/** Functions by the time in themselves, over all paths; the most first. */
export function topFunctions(root: Frame, count: number): { name: string; place: string; self: number }[] {
  const sums = new Map<string, { name: string; place: string; self: number }>();
  const walk = (frame: Frame): void => {
    const key = `${frame.name} ${frame.place}`;
    const sum = sums.get(key) ?? { name: frame.name, place: frame.place, self: 0 };
    sum.self += frame.self;
    sums.set(key, sum);
    for (const child of frame.children.values()) walk(child);
  };
  walk(root);
  return [...sums.values()].toSorted((a, b) => b.self - a.self).slice(0, count);
}

const WIDTH = 1200;
const ROW = 17;
const TOP = 46;
/** Narrower boxes are not drawn: nobody could see them. */
const LEAST = 0.4;

/** @param title and what the profile is of, above the graph */
export function flameGraph(root: Frame, title: string): string {
  const boxes: string[] = [];
  let depth = 0;
  const draw = (frame: Frame, x: number, level: number): void => {
    const width = (frame.total / Math.max(root.total, 1)) * WIDTH;
    if (width < LEAST) return;
    depth = Math.max(depth, level);
    const y = TOP + level * ROW;
    const share = `${((100 * frame.total) / Math.max(root.total, 1)).toFixed(1)} %`;
    const shown = Math.floor((width - 6) / 6.6);
    const label = shown < 3 ? '' : frame.name.length <= shown ? frame.name : `${frame.name.slice(0, shown - 1)}…`;
    boxes.push(
      `<g><rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(width - 0.5, 0.3).toFixed(1)}" height="${ROW - 1}" class="${kindOf(frame)}"/>` +
        (label && `<text x="${(x + 3).toFixed(1)}" y="${y + 12}">${escapeText(label)}</text>`) +
        `<title>${escapeText(`${frame.name} ${frame.place}: ${share}, itself ${(frame.self / 1e3).toFixed(0)} ms`)}</title></g>`,
    );
    let left = x;
    for (const child of [...frame.children.values()].toSorted((a, b) => b.total - a.total)) {
      draw(child, left, level + 1);
      left += (child.total / Math.max(root.total, 1)) * WIDTH;
    }
  };
  draw(root, 0, 0);
  const height = TOP + (depth + 1) * ROW + 4;
  const legend = Object.entries(KINDS)
    .map(([kind, { words }], i) => {
      const x = 8 + i * 150;
      return `<rect x="${x}" y="28" width="10" height="10" class="${kind}"/><text x="${x + 14}" y="37">${words}</text>`;
    })
    .join('');
  const styles = Object.entries(KINDS).map(([kind, { colour }]) => `.${kind}{fill:${colour}}`);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeText(title)}">` +
    `<style>text{font:11px ui-monospace,monospace;fill:#222}.head{font:14px system-ui,sans-serif}${styles.join('')}</style>` +
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/><text class="head" x="8" y="18">${escapeText(title)}</text>` +
    `${legend}${boxes.join('\n')}</svg>\n`
  );
}

const KINDS = {
  ours: { words: 'SemLink', colour: '#7fb2e5' },
  packages: { words: 'packages', colour: '#e0cc57' },
  node: { words: 'Node', colour: '#b8d8a8' },
  native: { words: 'native, V8', colour: '#d8d8d8' },
  gc: { words: 'garbage collection', colour: '#ff8a94' },
} as const;

function kindOf({ name, place }: Frame): keyof typeof KINDS {
  if (name === '(garbage collector)') return 'gc';
  if (place === '') return 'native';
  if (place.startsWith('node:')) return 'node';
  return place.includes('node_modules') ? 'packages' : 'ours';
}

/** From the project's folder, or from its packages', on: no path of this machine. */
function placeOf({ url, lineNumber }: { url: string; lineNumber: number }): string {
  if (url === '') return '';
  const short =
    /node_modules\/.*/.exec(url)?.[0] ??
    /\/dist\/(.*)/.exec(url)?.[1] ??
    (url.startsWith('node:') ? url : path.basename(url));
  return `${short}:${lineNumber + 1}`;
}

function newFrame(name: string, place: string): Frame {
  return { name, place, self: 0, total: 0, children: new Map() };
}
