import { z } from 'zod';
import { describeShape, type JsonShape, placeholderOf, shapeOf } from './json-shape.js';
import { metaOf, type OptionMeta } from './option.js';

/** One option, everything derived. */
export interface OptionInfo {
  /** Key in the configuration and in a file: `listen` or `queue.maxBytes`. */
  readonly key: string;
  readonly path: readonly string[];
  /** Without dashes: `queue-max-bytes`. */
  readonly flag: string;
  /** `SEMLINK_TRANSMITTER_ENCODER_QUEUE_MAX_BYTES`. */
  readonly env: string;
  readonly meta: OptionMeta;
  readonly shape: JsonShape;
  /** Allowed values in words. */
  readonly range: string;
  readonly placeholder: string;
  /** Neither a default nor optional. */
  readonly required: boolean;
}

export interface PositionalsDefinition {
  /** As printed in the usage line: `FOLDER` or `[FILE...]`. */
  readonly usage: string;
  readonly description: string;
  /** Least and greatest number of arguments. */
  readonly min: number;
  readonly max: number;
}

export interface ConfigDefinition<F extends z.ZodRawShape> {
  readonly name: string;
  readonly description: string;
  readonly usage: string;
  /** Start of every derived environment name, with its trailing underscore. */
  readonly envPrefix: string;
  readonly positionals: PositionalsDefinition | undefined;
  readonly schema: z.ZodObject<F, z.core.$strict>;
  readonly options: readonly OptionInfo[];
  readonly check: ((config: z.output<z.ZodObject<F, z.core.$strict>>) => string | undefined) | undefined;
}

/** The resolved configuration's type: `ConfigOf<typeof definition>`. */
export type ConfigOf<D> = D extends ConfigDefinition<infer F> ? z.output<z.ZodObject<F, z.core.$strict>> : never;

export const RESERVED_FLAGS = ['config', 'print-config', 'help', 'version'] as const;

/**
 * Declares the configuration of a service or command: one zod object and what follows from it.
 *
 * @throws TypeError when a field has no metadata, lies deeper than one group, or collides with another
 */
export function defineConfig<F extends z.ZodRawShape>(definition: {
  /** `transmitter-encoder`: also names the environment variables. */
  readonly name: string;
  readonly description: string;
  /** `option(...)` and `group({...})` values. */
  readonly fields: F;
  /** What `--help` calls the program; default the name. */
  readonly usage?: string;
  /** Arguments that are not options; none allowed when absent. */
  readonly positionals?: PositionalsDefinition;
  /** Looks at all values together; returns a sentence when they do not fit. */
  readonly check?: (config: z.output<z.ZodObject<F, z.core.$strict>>) => string | undefined;
}): ConfigDefinition<F> {
  const { name, description, fields } = definition;
  const envPrefix = `SEMLINK_${constantCase(name)}_`;
  const options: OptionInfo[] = [];
  for (const [key, schema] of Object.entries(fields) as [string, z.ZodType][]) {
    if (metaOf(schema) === undefined && schema instanceof z.ZodObject) {
      for (const [inner, leaf] of Object.entries(schema.shape) as [string, z.ZodType][]) {
        options.push(optionInfo([key, inner], leaf, envPrefix));
      }
    } else {
      options.push(optionInfo([key], schema, envPrefix));
    }
  }
  refuseCollisions(options, envPrefix);
  return {
    name,
    description,
    envPrefix,
    options,
    usage: definition.usage ?? name,
    positionals: definition.positionals,
    schema: z.strictObject(fields),
    check: definition.check,
  };
}

function optionInfo(path: readonly string[], schema: z.ZodType, envPrefix: string): OptionInfo {
  const key = path.join('.');
  const meta = metaOf(schema);
  if (!meta) throw new TypeError(`config field ${key} was not made by option(schema, { description })`);
  const shape = shapeOf(schema);
  return {
    key,
    path,
    meta,
    shape,
    flag: kebabCase(path.join('-')),
    env: meta.env ?? envPrefix + constantCase(path.join('-')),
    range: meta.range ?? describeShape(shape, meta.unit),
    placeholder: meta.placeholder ?? placeholderOf(shape, meta.unit),
    required: !schema.safeParse(undefined).success,
  };
}

function refuseCollisions(options: readonly OptionInfo[], envPrefix: string): void {
  const flags = new Map<string, string>(RESERVED_FLAGS.map((flag) => [flag, `the built-in --${flag}`]));
  for (const { flag, key, env, meta } of options) {
    for (const name of [flag, ...(meta.alias === undefined ? [] : [meta.alias])]) {
      const other = flags.get(name);
      if (other) throw new TypeError(`config field ${key} and ${other} are both --${name}`);
      flags.set(name, key);
    }
    // Kubernetes sets <SERVICE>_PORT, <SERVICE>_PORT_... and <SERVICE>_SERVICE_... in every pod beside a Service.
    if (isKubernetesName(env, envPrefix)) throw new TypeError(`config field ${key}: Kubernetes itself sets ${env}`);
  }
}

/** Variables that Kubernetes derives from a Service of the same name. */
export function isKubernetesName(env: string, envPrefix: string): boolean {
  return env.startsWith(envPrefix) && /^(PORT|PORT_.*|SERVICE_.*)$/.test(env.slice(envPrefix.length));
}

function kebabCase(text: string): string {
  return text.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();
}

function constantCase(text: string): string {
  return kebabCase(text)
    .replaceAll(/[^a-z0-9]+/g, '_')
    .toUpperCase();
}
