import sharp from 'sharp';

// Each image is read once: nothing to remember.
sharp.cache(false);

/** Larger images (pixels) are refused rather than decoded: 100 megapixels take 300 MB. */
const MAX_PIXELS = 100_000_000;

/**
 * Decodes an image file and brings it to the wanted size: turned as its EXIF orientation says, scaled (Lanczos) so that
 * it covers width x height and cut to its centre, transparency laid over white, grey and CMYK turned to sRGB, 8 bits.
 * Of an animation, the first picture.
 *
 * @returns height x width x 3 bytes, row-major, R, G, B of a pixel together
 * @throws Error when the file cannot be read or is not a whole image
 */
export async function decodeImage(path: string, width: number, height: number): Promise<Uint8Array> {
  const { data } = await sharp(path, { failOn: 'error', limitInputPixels: MAX_PIXELS })
    .autoOrient()
    .resize(width, height, { fit: 'cover', position: 'centre' })
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (data.length !== width * height * 3) {
    throw new Error(`decoding gave ${data.length} bytes instead of ${width * height * 3}`);
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.length);
}
