/** A class as a label file writes it: by its name or by its index. */
export type WrittenLabel = string | number;

/** What a label file says. */
export interface LabelFile {
  /** Label of each image, by its path relative to the folder, with `/`. */
  readonly labels: ReadonlyMap<string, WrittenLabel>;
  /** The order of the classes, where the file gives one. */
  readonly classNames?: readonly string[];
}

/**
 * Reads a label file.
 *
 * CSV: one `file,label` a line, fields quoted with `"` where they hold commas, `""` for a quote; an optional first line
 * `file,label`; empty lines are skipped. JSON: `{"file": label, ...}`, or `{"classNames": [...], "labels": {...}}` to fix
 * the order of the classes. A label is a class name or a class index from 0; in CSV a number that is no class name is an
 * index. Files are named relative to the folder, with `/`.
 *
 * @param name of the label file; `.json` decides for JSON
 * @throws Error that names the file, the place and what was expected
 */
export function parseLabelFile(name: string, text: string): LabelFile {
  const content = text.replace(/^\uFEFF/, '');
  return name.toLowerCase().endsWith('.json') ? parseJson(name, content) : { labels: parseCsv(name, content) };
}

function parseCsv(file: string, text: string): Map<string, WrittenLabel> {
  const labels = new Map<string, WrittenLabel>();
  for (const [number, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const fields = csvFields(line);
    const [image, label] = fields;
    if (fields.length !== 2 || !image || !label) {
      throw new Error(`${file}, line ${number + 1}: expected \`file,label\` and found \`${line.slice(0, 80)}\``);
    }
    if (labels.size === 0 && /^(file|filename|file_name|name|image|path)$/i.test(image)) continue;
    put(labels, file, image, label);
  }
  return labels;
}

/** The fields of a line; undefined content (a quote left open) gives no field. */
function csvFields(line: string): string[] {
  const fields: string[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")*)"|([^",]*))\s*(?:,|$)/y;
  while (pattern.lastIndex < line.length) {
    const match = pattern.exec(line);
    if (!match) return [];
    fields.push(match[1] === undefined ? (match[2] ?? '').trim() : match[1].replaceAll('""', '"'));
  }
  return fields;
}

function parseJson(file: string, text: string): LabelFile {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${file} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  if (!isRecord(parsed)) throw new Error(`${file}: expected an object of file names and labels`);
  const nested = isRecord(parsed.labels);
  const entries = nested ? (parsed.labels as Record<string, unknown>) : parsed;
  const labels = new Map<string, WrittenLabel>();
  for (const [image, label] of Object.entries(entries)) {
    if (typeof label !== 'string' && !isIndex(label)) {
      throw new Error(`${file}: the label of ${image} is ${JSON.stringify(label)}; expected a class name or an index`);
    }
    put(labels, file, image, label);
  }
  if (!nested || parsed.classNames === undefined) return { labels };
  if (!Array.isArray(parsed.classNames) || !parsed.classNames.every((name) => typeof name === 'string')) {
    throw new Error(`${file}: classNames must be a list of names`);
  }
  return { labels, classNames: parsed.classNames };
}

function put(labels: Map<string, WrittenLabel>, file: string, image: string, label: WrittenLabel): void {
  const name = image.replaceAll('\\', '/').replace(/^\.\//, '');
  if (labels.has(name)) throw new Error(`${file} has more than one label for ${name}; leave one`);
  labels.set(name, label);
}

/**
 * Turns written labels into class indices.
 *
 * @param known the classes in their order, e.g. the model's; without it, the names that occur, sorted
 * @throws Error when a label is neither one of the names nor an index among them
 */
export function resolveLabels(
  written: ReadonlyMap<string, WrittenLabel>,
  known: readonly string[] | undefined,
): { labels: Map<string, number>; classNames?: readonly string[] } {
  const classNames = known ?? namesIn(written);
  const indices = new Map(classNames?.map((name, index) => [name, index]));
  const labels = new Map<string, number>();
  for (const [image, label] of written) {
    const index = indices.get(String(label)) ?? asIndex(label);
    if (index === undefined || (classNames && index >= classNames.length)) {
      throw new Error(
        `the label of ${image} is ${JSON.stringify(label)}; expected ${classNames ? `an index below ${classNames.length} or one of ${shortList(classNames)}` : 'a class name or an index'}`,
      );
    }
    labels.set(image, index);
  }
  return classNames ? { labels, classNames } : { labels };
}

/** Distinct names in order, or undefined when all labels are indices. */
function namesIn(written: ReadonlyMap<string, WrittenLabel>): string[] | undefined {
  const all = [...written.values()];
  if (all.every((label) => asIndex(label) !== undefined)) return undefined;
  return [...new Set(all.map(String))].sort(naturalOrder);
}

function asIndex(label: WrittenLabel): number | undefined {
  if (isIndex(label)) return label;
  return typeof label === 'string' && /^\d{1,9}$/.test(label) ? Number(label) : undefined;
}

function isIndex(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const collator = new Intl.Collator('en', { numeric: true });

/** As people sort: 2.png before 10.png; a total order, the same on every machine. */
export function naturalOrder(a: string, b: string): number {
  return collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}

/** The first few of a list, for a sentence. */
export function shortList(items: readonly string[], most = 12): string {
  const shown = items.slice(0, most).join(', ');
  return items.length > most ? `${shown} and ${items.length - most} more` : shown;
}
