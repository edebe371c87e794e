/** How the parts of a scrape's lines are written, in both text formats, to the letter as prom-client does. */

/** A metric that writes itself, quicker than prom-client does. */
export interface SelfRendering {
  /** Its lines of a scrape, without a newline at the end. */
  render(openMetrics: boolean): string;
}

/** Whether a metric of a registry writes itself. */
export function rendersItself(metric: object): metric is SelfRendering {
  return 'render' in metric;
}

/** What comes before the value: the name, and labels where there are any. */
export function lineStart(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escapedLabel(value)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} `;
}

export function writtenValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

/** The text of HELP. */
export function escapedHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapedLabel(value: string): string {
  return escapedHelp(value).replaceAll('"', '\\"');
}
