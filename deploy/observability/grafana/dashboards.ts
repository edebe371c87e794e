import { distillationDashboard } from './distillation-dashboard.js';
import { linkDashboard } from './link-dashboard.js';
import { serviceDashboard } from './service-dashboard.js';

/** Every dashboard, by the name of its file, as it is committed. */
export function dashboardFiles(): ReadonlyMap<string, string> {
  const all = { link: linkDashboard(), service: serviceDashboard(), distillation: distillationDashboard() };
  return new Map(Object.entries(all).map(([name, json]) => [`${name}.json`, `${JSON.stringify(json, null, 2)}\n`]));
}
