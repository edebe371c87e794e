// Reading the regular files of an npm tarball (gzip + ustar), one after the other, without a tar program.
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';

const BLOCK = 512;

/** @param {Buffer} header @param {number} start @param {number} end */
function field(header, start, end) {
  const bytes = header.subarray(start, end);
  const zero = bytes.indexOf(0);
  return bytes.toString('utf8', 0, zero < 0 ? bytes.length : zero);
}

/**
 * Yields `{name, bytes}` for each file that `wanted(name)` accepts, in the order of the archive. At most one file is
 * held in memory. Throws when the gzip stream is damaged or the archive ends in the middle of a file.
 *
 * @param {string} path
 * @param {(name: string) => boolean} wanted
 * @returns {AsyncGenerator<{name: string, bytes: Buffer}>}
 */
export async function* filesOfTarball(path, wanted) {
  const raw = createReadStream(path);
  const gunzip = createGunzip();
  raw.on('error', (error) => gunzip.destroy(error));
  const stream = raw.pipe(gunzip);
  try {
    yield* entries(stream, wanted, path);
  } finally {
    raw.destroy();
    gunzip.destroy();
  }
}

/** @param {AsyncIterable<Buffer>} stream @param {(name: string) => boolean} wanted @param {string} path */
async function* entries(stream, wanted, path) {
  /** @type {Buffer} */
  let pending = Buffer.alloc(0);
  /** The file being read: how many bytes are still to come (with and without padding) and where they go. */
  let entry = { name: '', missing: 0, padding: 0, bytes: /** @type {Buffer | undefined} */ (undefined), at: 0 };
  let inside = false;

  for await (const chunk of stream) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (;;) {
      if (inside) {
        const take = Math.min(entry.missing, pending.length);
        entry.bytes?.set(pending.subarray(0, take), entry.at);
        entry.at += take;
        entry.missing -= take;
        const skip = entry.missing === 0 ? Math.min(entry.padding, pending.length - take) : 0;
        entry.padding -= skip;
        pending = pending.subarray(take + skip);
        if (entry.missing > 0 || entry.padding > 0) break;
        inside = false;
        if (entry.bytes) yield { name: entry.name, bytes: entry.bytes };
      }
      if (pending.length < BLOCK) break;
      const header = pending.subarray(0, BLOCK);
      pending = pending.subarray(BLOCK);
      if (header[0] === 0) continue; // the two empty blocks at the end
      const size = Number.parseInt(field(header, 124, 136).trim(), 8);
      if (!Number.isSafeInteger(size)) throw new Error(`${path}: not a tar archive (bad size field)`);
      const name = field(header, 0, 100);
      const regular = header[156] === 0 || header[156] === 0x30;
      const bytes = regular && wanted(name) ? Buffer.allocUnsafe(size) : undefined;
      entry = { name, missing: size, padding: (BLOCK - (size % BLOCK)) % BLOCK, bytes, at: 0 };
      inside = true;
    }
  }
  if (inside) throw new Error(`${path}: ends in the middle of ${entry.name}`);
}
