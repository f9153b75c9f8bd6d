/** What is to be done with one picture; plain data, so that it can be sent to a worker. */
import { decode } from "../decode.ts";
import { pillowResize, pillowResizeToLevels } from "../pillow-resize.ts";
import { type Fit, fittedSize, fitWindow, type Placement } from "../resize.ts";

export interface PictureJob {
  /** The file to read; with `bytes`, their name in errors. */
  readonly file: string;
  readonly bytes?: Uint8Array | undefined;
  readonly fit: Fit;
  readonly placement?: Placement | undefined;
  /** The float for each byte of each channel, [3, 256]; absent: the bytes themselves are the result. */
  readonly levels?: Float32Array | undefined;
}

/** Bytes of the result: planes of R, G and B, uint8 or float32. */
export function resultBytes({ fit, levels }: Pick<PictureJob, "fit" | "levels">): number {
  const [height, width] = fittedSize(fit);
  return 3 * height * width * (levels ? Float32Array.BYTES_PER_ELEMENT : 1);
}

/** Writes a result to memory of `resultBytes`. */
export type Write = (target: Uint8Array) => void;

/** Decodes the picture; the rest is done when the result is written. Errors: DataError naming the file. */
export async function preparePicture({ file, bytes, fit, placement, levels }: PictureJob): Promise<Write> {
  const image = await decode(file, bytes);
  const window = fitWindow(image, fit, placement);
  return (target) => {
    if (!levels) pillowResize(image, window, target);
    else pillowResizeToLevels(image, window, levels, asFloats(target));
  };
}

const asFloats = ({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array =>
  new Float32Array(buffer, byteOffset, byteLength / Float32Array.BYTES_PER_ELEMENT);

/**
 * Floats for bytes as torchvision's ToTensor and Normalize make them, with every step rounded to float32: [3, 256].
 */
export function normalizedLevels(mean: readonly number[], std: readonly number[]): Float32Array {
  const { fround } = Math;
  return Float32Array.from({ length: 3 * 256 }, (_, i) => {
    const channel = i >> 8;
    return fround(fround((i & 255) / 255) - fround(mean[channel]!)) / fround(std[channel]!);
  });
}
