/** Encoded pictures to RGB bytes, exactly as Pillow decodes them. Imports no tensors: workers use it. */
import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { DataError } from "../torch/errors.ts";
import type { RgbImage } from "./pillow-resize.ts";

// Pictures are decoded side by side, so one thread for each; and none is worth keeping.
sharp.concurrency(1);
sharp.cache(false);

/**
 * Decodes a file, or `bytes` that are called `file` in errors, to RGB: upright by its EXIF orientation, alpha dropped, colour
 * profile ignored, as Pillow's `convert("RGB")`.
 * Errors: DataError naming the file when it is missing or no image.
 */
export async function decode(file: string, bytes?: Uint8Array): Promise<RgbImage> {
  try {
    // Read as a whole: the decoder's own reading, a piece at a time, takes a tenth longer.
    const { data, info } = await sharp(bytes ?? (await readFile(file)), { failOn: "error", ignoreIcc: true })
      .autoOrient()
      .toColourspace("srgb")
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`it has ${info.channels} colour channels`);
    return { data, width: info.width, height: info.height };
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new DataError(`${file} cannot be read as an image: ${reason}. Expected a PNG, JPEG or WebP file.`, {
      cause,
    });
  }
}
