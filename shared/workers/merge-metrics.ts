/** One process's metrics in Prometheus's text form, and the value of its `worker` label. */
export interface WorkerText {
  readonly worker: string;
  readonly text: string;
}

/**
 * The metrics of several processes as one text: every sample gets a label `worker`, so that nothing is added up that must
 * not be (a gauge, a quantile) and every counter and histogram can be, by `sum without (worker)`. Takes the text forms of
 * Prometheus and OpenMetrics.
 */
export function mergeMetrics(texts: readonly WorkerText[]): string {
  const families = new Map<string, Family>();
  for (const { worker, text } of texts) {
    let family: Family | undefined;
    for (const line of text.split('\n')) {
      if (line === '' || line === '# EOF') continue;
      const about = /^# (?:HELP|TYPE|UNIT) (\S+)/.exec(line);
      if (about) {
        family = familyOf(families, about[1]!);
        if (!family.about.includes(line)) family.about.push(line);
      } else if (!line.startsWith('#')) {
        // A sample without a family of its own stands for itself.
        const name = /^[^{\s]+/.exec(line)![0];
        if (!family || !name.startsWith(family.name)) family = familyOf(families, name);
        family.samples.push(labelled(line, name.length, worker));
      }
    }
  }
  const lines: string[] = [];
  // In a loop of its own: a large family would be too many arguments.
  for (const { about, samples } of families.values()) for (const line of [...about, ...samples]) lines.push(line);
  const isOpenMetrics = texts.some(({ text }) => text.trimEnd().endsWith('# EOF'));
  return `${lines.join('\n')}\n${isOpenMetrics ? '# EOF\n' : ''}`;
}

interface Family {
  readonly name: string;
  readonly about: string[];
  readonly samples: string[];
}

function familyOf(families: Map<string, Family>, name: string): Family {
  let family = families.get(name);
  if (!family) {
    family = { name, about: [], samples: [] };
    families.set(name, family);
  }
  return family;
}

function labelled(line: string, nameLength: number, worker: string): string {
  const name = line.slice(0, nameLength);
  const rest = line.slice(nameLength);
  if (!rest.startsWith('{')) return `${name}{worker="${worker}"}${rest}`;
  return `${name}{worker="${worker}"${rest.startsWith('{}') ? '' : ','}${rest.slice(1)}`;
}
