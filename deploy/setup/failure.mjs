// The one way a set-up ends badly: a sentence that says what was wrong and what to do, and the details for those who ask.

/** An expected failure. `message` is one sentence for the user; `detail` is shown only with SEMLINK_DEBUG=1. */
export class SetupFailure extends Error {
  /** @param {string} message @param {{detail?: string, cause?: unknown}} [more] */
  constructor(message, { detail = '', cause } = {}) {
    super(message, { cause });
    this.name = 'SetupFailure';
    this.detail = detail;
  }
}

const FULL = /ENOSPC|EDQUOT|no space left on device|disk quota exceeded/i;
const REFUSED = /EACCES|EPERM|EROFS|permission denied|read-only file system/i;
const NETWORK =
  /ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|ERR_SOCKET_TIMEOUT|FETCH_ERROR|getaddrinfo|NewConnectionError|ProxyError|ConnectTimeoutError|ReadTimeoutError|Connection (refused|reset|aborted)|Max retries exceeded|SSLError|socket hang up|network (is unreachable|timeout)/i;

/**
 * Turns whatever went wrong in a step (a system error, the output of a program) into a {@link SetupFailure}.
 *
 * @param {unknown} error
 * @param {{doing: string, folder?: string}} where `doing` starts the sentence, e.g. `Downloading TensorFlow`
 * @returns {SetupFailure}
 */
export function asFailure(error, { doing, folder }) {
  if (error instanceof SetupFailure) return error;
  const text = error instanceof Error ? `${error.message}\n${error.output ?? ''}` : String(error);
  const detail = error instanceof Error ? `${error.stack}\n${error.output ?? ''}` : text;
  const place = folder ? ` (${folder})` : '';
  return new SetupFailure(`${doing} failed: ${reason(text, error, place)}`, { detail, cause: error });
}

/** @param {string} text @param {unknown} error @param {string} place */
function reason(text, error, place) {
  if (FULL.test(text)) {
    return `the disk is full${place}; free some space, or point SEMLINK_CACHE at a larger disk, and run \`npm run setup\` again.`;
  }
  if (REFUSED.test(text) || /ENOTDIR|EEXIST|EISDIR/.test(text)) {
    return `the folder cannot be written${place}; fix its owner or permissions, or point SEMLINK_CACHE at a folder of yours, and run \`npm run setup\` again.`;
  }
  if (NETWORK.test(text)) {
    return 'the package registry cannot be reached; check the network connection and proxy settings, and run `npm run setup` again.';
  }
  if (/from versions: none/.test(text)) {
    // All that pip says when it gets no answer at all.
    return "the Python package index cannot be reached, or lacks it; check the network connection, the proxy settings and pip's index, and run `npm run setup` again.";
  }
  return `${lastWords(error, text)}; run \`SEMLINK_DEBUG=1 npm run setup\` for the details, then try again.`;
}

/** The last line of a program's output that reads like a reason, or the error's own message. */
function lastWords(error, text) {
  const output = error instanceof Error && typeof error.output === 'string' ? error.output : text;
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/complete log|^\d{4}-\d\d-\d\dT/.test(line));
  const found = lines.findLast((line) => /error|ERR!|not found|failed|denied|mismatch/i.test(line)) ?? lines.at(-1);
  const words = found ?? (error instanceof Error ? error.message : String(error));
  return words.replace(/[.;:]+$/, '').slice(0, 300);
}
