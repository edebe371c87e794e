import type { ChannelSettings } from '../../../shared/channel/channel-config.js';
import type { LinkSettings } from './link-settings.js';

/** Points of a trace that are shown; of a longer one only their number. */
const mostShownPoints = 256;

/** Settings as JSON, in the words of patches and scenario files. A long trace is left out, with a word in its place. */
export function settingsJson(settings: LinkSettings): string {
  return JSON.stringify({ ...settings, channel: withoutLongTrace(settings.channel) });
}

/** The channel as it can be told often: a long trace is cut. */
export function withoutLongTrace(channel: ChannelSettings): object {
  if (channel.model !== 'trace') return channel;
  const { trace } = channel;
  const points = trace.timesSeconds.length;
  if (points > mostShownPoints) return { ...channel, trace: { kind: trace.kind, points } };
  const { kind } = trace;
  return {
    ...channel,
    trace: { kind, timesSeconds: Array.from(trace.timesSeconds), values: Array.from(trace.values) },
  };
}
