import { type ChannelSettings, channelModelNames, typicalSettings } from '../../../shared/channel/channel-config.js';
import { invalidArgument } from '../../../shared/rpc/errors.js';
import { defaultPilots } from '../feedback/feedback-settings.js';
import type { LinkSettings } from './link-settings.js';
import { type Fields, settingsFields } from './settings-fields.js';

/** A JSON object as it came from a file, a flag or a call. */
export type JsonObject = { readonly [key: string]: unknown };

/**
 * What a patch makes of a link's settings: what it names changes, all else stays. It has the shape of `LinkSettings` as
 * JSON: `{"channel": {"snrDb": 12}, "air": {"propagationDelayMs": 5}}`.
 *
 * - Another `channel.model` starts from that model's typical parameters; SNR and impairments stay.
 * - `channel.snrDb` ends a budget; `budget` needs all of its parts the first time; `"budget": null` keeps the SNR it made.
 * - `null` takes an optional value away: `"pilots": null` is genie feedback.
 *
 * Ranges are not looked at here.
 * @param where what the patch is, for messages: `patch`, `step 3: set`
 * @throws SemlinkError INVALID_ARGUMENT naming a key that does not exist, a value of the wrong kind or a contradiction
 */
export function patchSettings(base: LinkSettings, patch: unknown, where = 'patch'): LinkSettings {
  const parts = checkedPatch(patch, where);
  const { channel, budget, air, feedback } = parts;
  const patched = {
    channel: patchChannel(base.channel, objectIn(channel), where),
    budget: channel && 'snrDb' in channel ? null : base.budget,
    air: merge(base.air, objectIn(air)),
    feedback: merge(withPilots(base, objectIn(feedback)), objectIn(feedback)),
  } as { -readonly [K in keyof LinkSettings]: LinkSettings[K] };
  if (budget !== undefined) {
    patched.budget = budget === null ? null : (merge(base.budget ?? {}, budget) as unknown as LinkSettings['budget']);
  }
  // What merging drops because it is null must be there in the settings.
  if (patched.feedback.pilots === undefined) patched.feedback = { ...patched.feedback, pilots: null };
  checkKinds(patched.channel, settingsFields.channelOf(patched.channel.model), `${where}: channel`);
  return patched;
}

/**
 * Keys and kinds of values, as far as they can be known without the settings that the patch goes to.
 * @throws SemlinkError INVALID_ARGUMENT as `patchSettings`
 */
export function checkedPatch(patch: unknown, where: string): Partial<Record<keyof LinkSettings, JsonObject | null>> {
  checkKinds(patch, settingsFields.all, where);
  const parts = patch as Partial<Record<keyof LinkSettings, JsonObject | null>>;
  const { channel, budget } = parts;
  if (channel && 'snrDb' in channel && budget) {
    throw invalidArgument(`${where}: channel.snrDb`, channel.snrDb, 'leave it out: the budget beside it makes the SNR');
  }
  if (
    channel &&
    typeof channel.model === 'string' &&
    !(channelModelNames as readonly string[]).includes(channel.model)
  ) {
    throw invalidArgument(`${where}: channel.model`, channel.model, `use one of ${channelModelNames.join(', ')}`);
  }
  return parts;
}

function patchChannel(base: ChannelSettings, patch: JsonObject, where: string): ChannelSettings {
  const model = patch.model as ChannelSettings['model'] | undefined;
  let from = base;
  if (model !== undefined && model !== base.model) {
    const { snrDb, impairments } = base;
    from = { ...typicalSettings(model, snrDb), ...(impairments && { impairments }) };
  }
  const { model: name } = { ...from, ...patch } as ChannelSettings;
  const fields = settingsFields.channelOf(name);
  const stranger = Object.keys(patch).find((key) => !(key in fields));
  if (stranger) {
    const todo = `${name} has ${Object.keys(fields).join(', ')}`;
    throw invalidArgument(`${where}: channel.${stranger}`, patch[stranger], todo);
  }
  const merged = merge(from, patch) as ChannelSettings;
  // A recording that is named, be it the same, begins anew.
  const { replay } = patch;
  if (merged.model !== 'replay' || !isObject(replay) || !('file' in replay) || 'start' in replay) return merged;
  const { start: _, ...rest } = merged.replay;
  return { ...merged, replay: rest };
}

/** Pilots that were not there before start from their defaults. */
function withPilots({ feedback }: LinkSettings, patch: JsonObject): LinkSettings['feedback'] {
  return patch.pilots && feedback.pilots === null ? { ...feedback, pilots: defaultPilots } : feedback;
}

function objectIn(value: JsonObject | null | undefined): JsonObject {
  return value ?? {};
}

/** Objects are merged key by key, everything else is replaced; null takes a key away. */
function merge<T extends object>(base: T, patch: JsonObject): T {
  if (Object.keys(patch).length === 0) return base;
  const merged = { ...base } as Record<string, unknown>;
  for (const [key, value] of Object.entries(patch)) {
    const before = merged[key];
    if (value === null) delete merged[key];
    // Another kind of loss has other parameters.
    else if (isObject(value) && isObject(before) && !('kind' in value && value.kind !== before.kind)) {
      merged[key] = merge(before, value);
    } else merged[key] = value;
  }
  return merged as T;
}

/** @throws SemlinkError INVALID_ARGUMENT naming the first key that does not exist or whose value is of a wrong kind */
export function checkKinds(value: unknown, fields: Fields, where: string): void {
  if (!isObject(value)) throw invalidArgument(where, value, 'give a JSON object');
  for (const [key, one] of Object.entries(value)) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    const name = `${where}${where.endsWith(':') ? ' ' : where.includes(':') ? '.' : ': '}${key}`;
    if (field === undefined)
      throw invalidArgument(name, one, `there is no such key; there are ${Object.keys(fields).join(', ')}`);
    if (one === null && field !== 'number' && field !== 'boolean') continue;
    if (typeof field === 'object') checkKinds(one, field, name);
    else if (field === 'list' ? !Array.isArray(one) : field === 'any' ? false : typeof one !== field) {
      throw invalidArgument(name, one, `give a ${field}`);
    } else if (field === 'number' && !Number.isFinite(one)) {
      throw invalidArgument(name, one, 'give a finite number');
    }
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
