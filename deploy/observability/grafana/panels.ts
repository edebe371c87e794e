/** The little of Grafana's dashboard format that these dashboards need. */

/** One query of a panel. */
export interface Query {
  readonly expr: string;
  /** What the series is called; `{{label}}` stands for a label's value. */
  readonly legend: string;
  /** Shows the traces of sampled frames as points; histograms with exemplars only. */
  readonly exemplar?: boolean;
}

export interface PanelOptions {
  readonly title: string;
  /** What it tells, and what to make of it. */
  readonly description: string;
  /** Grafana's name of the unit, such as `s`, `bytes`, `percentunit`; default: a plain number. */
  readonly unit?: string;
  readonly queries: readonly Query[];
  /** Of 24 columns. */
  readonly width: number;
  readonly min?: number;
  readonly max?: number;
  /** Adds the series up. */
  readonly stack?: boolean;
  /** Of a stat: from which values on it is yellow and red, rising; `below` when small values are the bad ones. */
  readonly limits?: { readonly yellow: number; readonly red: number; readonly below?: boolean };
}

export interface Panel {
  readonly type: string;
  readonly width: number;
  readonly height: number;
  readonly json: Readonly<Record<string, unknown>>;
}

const DATASOURCE = { type: 'prometheus', uid: '$datasource' };

/** Curves over time. A legend that begins with "objective" is drawn as a dashed line. */
export function curves(options: PanelOptions): Panel {
  const { unit = 'short', min = 0, max, stack = false } = options;
  const dashed = {
    matcher: { id: 'byRegexp', options: '/^objective/' },
    properties: [
      { id: 'custom.lineStyle', value: { fill: 'dash', dash: [8, 8] } },
      { id: 'custom.fillOpacity', value: 0 },
      { id: 'custom.stacking', value: { mode: 'none', group: 'A' } },
      { id: 'color', value: { mode: 'fixed', fixedColor: 'red' } },
    ],
  };
  const custom = {
    drawStyle: 'line',
    lineWidth: 1,
    fillOpacity: stack ? 40 : 5,
    showPoints: 'never',
    spanNulls: false,
    stacking: { mode: stack ? 'normal' : 'none', group: 'A' },
  };
  return panel('timeseries', 8, options, {
    fieldConfig: { defaults: { unit, min, ...(max !== undefined && { max }), custom }, overrides: [dashed] },
    options: {
      legend: { showLegend: true, displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  });
}

/** The latest value, large. */
export function stat(options: PanelOptions): Panel {
  const { unit = 'short', limits } = options;
  const [good, bad] = limits?.below ? ['red', 'green'] : ['green', 'red'];
  const rising = limits && [limits.yellow, limits.red].sort((a, b) => a - b);
  const steps = rising
    ? [
        { color: good, value: null },
        { color: 'yellow', value: rising[0] },
        { color: bad, value: rising[1] },
      ]
    : [{ color: 'blue', value: null }];
  return panel('stat', 4, options, {
    fieldConfig: { defaults: { unit, thresholds: { mode: 'absolute', steps } }, overrides: [] },
    options: {
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      colorMode: limits ? 'background' : 'value',
      graphMode: 'area',
      textMode: options.queries.length > 1 ? 'value_and_name' : 'auto',
      orientation: 'auto',
      justifyMode: 'auto',
      wideLayout: true,
      showPercentChange: false,
      percentChangeColorMode: 'standard',
    },
  });
}

/** Buckets of a histogram over time, from one query of `buckets(...)`. */
export function heatmap(options: PanelOptions): Panel {
  return panel(
    'heatmap',
    8,
    options,
    {
      fieldConfig: { defaults: {}, overrides: [] },
      options: {
        calculate: false,
        yAxis: { unit: options.unit ?? 'short' },
        color: { mode: 'scheme', scheme: 'Blues', steps: 64, exponent: 0.5, fill: 'dark-blue', reverse: false },
        showValue: 'never',
        legend: { show: true },
        exemplars: { color: 'rgba(255,0,255,0.7)' },
        cellGap: 1,
        tooltip: { mode: 'single', yHistogram: true },
      },
    },
    { format: 'heatmap' },
  );
}

/** Latest values, a bar each. */
export function bars(options: PanelOptions): Panel {
  const { unit = 'short', min = 0, max } = options;
  return panel(
    'bargauge',
    8,
    options,
    {
      fieldConfig: {
        defaults: {
          unit,
          min,
          ...(max !== undefined && { max }),
          color: { mode: 'continuous-RdYlGr' },
          thresholds: { mode: 'absolute', steps: [{ color: 'blue', value: null }] },
        },
        overrides: [],
      },
      options: {
        orientation: 'horizontal',
        displayMode: 'basic',
        valueMode: 'color',
        namePlacement: 'auto',
        showUnfilled: true,
        sizing: 'auto',
        minVizWidth: 8,
        minVizHeight: 16,
        maxVizHeight: 300,
        legend: { showLegend: false, displayMode: 'list', placement: 'bottom', calcs: [] },
        reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      },
    },
    { instant: true, range: false },
  );
}

/** What was so when: the value 1 or 0 of each series as a band. */
export function bands(options: PanelOptions): Panel {
  return panel('state-timeline', 6, options, {
    fieldConfig: {
      defaults: {
        mappings: [
          {
            type: 'value',
            options: { 0: { text: 'no', color: 'transparent' }, 1: { text: 'yes', color: 'green' } },
          },
        ],
        custom: { fillOpacity: 70, lineWidth: 0 },
      },
      overrides: [],
    },
    options: {
      mergeValues: true,
      showValue: 'never',
      rowHeight: 0.9,
      legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] },
      tooltip: { mode: 'single', sort: 'none' },
    },
  });
}

function panel(
  type: string,
  height: number,
  { title, description, queries, width }: PanelOptions,
  json: Record<string, unknown>,
  target: Record<string, unknown> = {},
): Panel {
  const targets = queries.map(({ expr, legend, exemplar = false }, i) => ({
    refId: String.fromCharCode(65 + i),
    datasource: DATASOURCE,
    expr,
    legendFormat: legend,
    exemplar,
    ...target,
  }));
  return { type, width, height, json: { title, description, datasource: DATASOURCE, targets, ...json } };
}
