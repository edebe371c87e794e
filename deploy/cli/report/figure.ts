/** A point of a curve: x in the axis's unit, y in %, half of its error bar in % where several seeds give one. */
export interface FigurePoint {
  x: number;
  y: number;
  error?: number;
}

export interface Series {
  name: string;
  points: FigurePoint[];
  /** A bound or a baseline: thinner, dashed. `dots`: single points without a line. */
  style: 'line' | 'dashed' | 'dots';
}

/** One plot, with all numbers that it draws. */
export interface Figure {
  /** Name of its SVG file. */
  id: string;
  /** Figures of one group stand under one heading. */
  group: string;
  title: string;
  x: { label: string; log2: boolean };
  y: { label: string };
  series: Series[];
}
