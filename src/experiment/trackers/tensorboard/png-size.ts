// Width and height of a PNG file, from its first chunk (https://www.w3.org/TR/png/#11IHDR).
import { DataError } from "../../../torch/errors.ts";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Errors: DataError when the bytes are no PNG file. */
export function pngSize(png: Uint8Array): { width: number; height: number } {
  if (png.length < 24 || SIGNATURE.some((byte, i) => png[i] !== byte))
    throw new DataError(`An image to be logged is no PNG file (${png.length} bytes).`);
  const view = new DataView(png.buffer, png.byteOffset);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}
