import type { Panel } from './panels.js';

/** Panels under a heading. */
export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** A value that is chosen on the dashboard, of those that a label has. */
export interface Choice {
  readonly name: string;
  readonly label: string;
  /** Series whose label is asked for. */
  readonly of: string;
}

export interface DashboardOptions {
  /** In the address; also the file's name. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly choices: readonly Choice[];
  readonly rows: readonly Row[];
}

/** Marks these dashboards, so that each can lead to the others. */
const TAG = 'semlink';
const COLUMNS = 24;

/** A dashboard in the form that Grafana imports and provisions. */
export function dashboard({ uid, title, description, choices, rows }: DashboardOptions): Record<string, unknown> {
  return {
    uid,
    title,
    description,
    tags: [TAG],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '10s',
    time: { from: 'now-30m', to: 'now' },
    timezone: 'browser',
    links: [
      {
        type: 'dashboards',
        title: 'SemLink',
        tags: [TAG],
        asDropdown: false,
        keepTime: true,
        includeVars: true,
        icon: 'dashboard',
        tooltip: 'The other dashboards of SemLink',
        targetBlank: false,
      },
    ],
    annotations: {
      list: [
        {
          name: 'Alerts',
          enable: true,
          iconColor: 'red',
          datasource: { type: 'prometheus', uid: '$datasource' },
          expr: 'ALERTS{alertname=~"Semlink.*", alertstate="firing"}',
          titleFormat: '{{alertname}}',
          textFormat: '{{link}} {{job}} {{instance}}',
          step: '15s',
        },
      ],
    },
    templating: { list: [datasource(), ...choices.map(choice)] },
    panels: laidOut(rows),
  };
}

/** Any Prometheus that Grafana knows. */
function datasource(): Record<string, unknown> {
  return {
    name: 'datasource',
    label: 'Prometheus',
    type: 'datasource',
    query: 'prometheus',
    current: { text: 'default', value: 'default' },
    options: [],
  };
}

function choice({ name, label, of }: Choice): Record<string, unknown> {
  const query = `label_values(${of}, ${name})`;
  return {
    name,
    label,
    type: 'query',
    datasource: { type: 'prometheus', uid: '$datasource' },
    definition: query,
    query: { query, refId: `choice-${name}` },
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    // Also what does not have the label: a scrape without namespaces.
    allValue: '.*',
    current: { selected: true, text: 'All', value: '$__all' },
    options: [],
  };
}

/** Panels from left to right, a new line where one does not fit, each row under its heading. */
function laidOut(rows: readonly Row[]): Record<string, unknown>[] {
  const placed: Record<string, unknown>[] = [];
  let y = 0;
  for (const { title, panels } of rows) {
    placed.push({
      id: placed.length + 1,
      type: 'row',
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
    });
    y++;
    let x = 0;
    let height = 0;
    for (const { type, width, height: h, json } of panels) {
      if (x + width > COLUMNS) {
        x = 0;
        y += height;
        height = 0;
      }
      placed.push({ id: placed.length + 1, type, gridPos: { x, y, w: width, h }, ...json });
      x += width;
      height = Math.max(height, h);
    }
    y += height;
  }
  return placed;
}
