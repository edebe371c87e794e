import { z } from 'zod';

/** What a person needs to know about one option besides its type; the range comes from the zod checks. */
export interface OptionMeta {
  /** One sentence for `--help`. */
  readonly description: string;
  /**
   * Unit of the value, printed everywhere. `ms`, `us`, `s` and `bytes` also make suffixes readable: `250ms`, `2s`,
   * `64KiB`.
   */
  readonly unit?: string;
  /** Stands for the value in `--help`, for example `HOST:PORT`; default: from the type. */
  readonly placeholder?: string;
  /** Allowed values in words, where zod's checks cannot be read (a refinement); default: from the checks. */
  readonly range?: string;
  /** Never printed: `--print-config` and errors show `***`. */
  readonly secret?: boolean;
  /** A second name of the flag, without dashes. */
  readonly alias?: string;
  /** Environment variable instead of the derived `SEMLINK_<NAME>_<FIELD>`, where a standard one exists. */
  readonly env?: string;
}

const metadata = new WeakMap<z.ZodType, OptionMeta>();

/**
 * Gives a zod schema its place in `--help`. The schema is copied, so one schema can serve several options.
 *
 * @param schema value in its final type, with `.default(...)` or `.optional()` unless the option is required
 */
export function option<S extends z.ZodType>(schema: S, meta: OptionMeta): S {
  const copy = schema.clone() as S;
  metadata.set(copy, meta);
  return copy;
}

/** A named group of options, one level deep: `queue: group({ maxBytes })` is `--queue-max-bytes`. */
export function group<F extends z.ZodRawShape>(fields: F): z.ZodObject<F, z.core.$strict> {
  return z.strictObject(fields);
}

/** The metadata `option` gave, or undefined: then the schema is a group, or was never declared. */
export function metaOf(schema: z.ZodType): OptionMeta | undefined {
  return metadata.get(schema);
}
