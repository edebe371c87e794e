/** The queries of the dashboards, with values in the place of Grafana's variables. */
import { dashboardFiles } from '../../deploy/observability/grafana/dashboards.js';

export interface PanelQuery {
  /** `link.json: SNR on the air`. */
  readonly panel: string;
  readonly expr: string;
}

interface Dashboard {
  panels: { title: string; targets?: { expr: string }[] }[];
  annotations: { list: { expr: string }[] };
}

/** @param range what `$__rate_interval` and `$__range` stand for */
export function dashboardQueries(range: string): PanelQuery[] {
  return [...dashboardFiles()].flatMap(([file, text]) => {
    const { panels, annotations } = JSON.parse(text) as Dashboard;
    const queries = panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ panel: `${file}: ${title}`, expr: filledIn(expr, range) })),
    );
    return [...queries, ...annotations.list.map(({ expr }) => ({ panel: `${file}: annotations`, expr }))];
  });
}

function filledIn(expr: string, range: string): string {
  const filled = expr
    .replaceAll('$__rate_interval', range)
    .replaceAll('$__range', range)
    .replaceAll(/"\$(namespace|link|job|instance)"/g, '".*"');
  if (filled.includes('$')) throw new Error(`unknown variable in ${expr}`);
  return filled;
}
