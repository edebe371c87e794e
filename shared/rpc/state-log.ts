import type { LimitedLog } from '../telemetry/index.js';
import type { StreamState } from './frame-stream-options.js';

/**
 * What a service writes of its streams to the next one. There is a stream for each one that it serves, so all of them say the
 * same when the next service goes: within bounds.
 *
 * @param role of the next service
 */
export function stateLog(log: LimitedLog, role: string): (state: StreamState, detail: string) => void {
  return (state, detail) => {
    const level = state === 'down' ? 'warn' : 'info';
    log.line({ key: `${role} ${state}`, level, fields: {} }, `${role} ${state}: ${detail}`);
  };
}
