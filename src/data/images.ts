/** Picture files to tensors and back: decode, resize, model range [-1, 1], PNG. Tensors of pictures are uint8 [N, 3, H, W]. */
import sharp from "sharp";
import { empty, keep, scope, ShapeError, type Tensor, writeFileAtomic } from "../torch/index.ts";
import { decode } from "./decode.ts";
import { isParquetRef, readImage } from "./image-ref.ts";
import { preparePictures } from "./loader/prepare-pictures.ts";
import { leaseWorkers } from "./loader/shared-workers.ts";
import type { RgbImage } from "./resize.ts";

export interface LoadImagesOptions {
  /** Width and height of the result. */
  readonly size: number;
  /** Where each square is cut from, 0 to 1: vertical, horizontal of each file, [2 N]; absent: the middle. */
  readonly crops?: ArrayLike<number> | undefined;
  /** Not 0 for files whose square is mirrored, [N]; absent: none. */
  readonly flips?: ArrayLike<number> | undefined;
  /** Gives the bytes of a file, so that its caller can look at them too; absent: they are read here. */
  readonly read?: ((file: string, index: number) => Promise<Uint8Array>) | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Files decoded at once when no threads are used. */
  readonly concurrency?: number;
  /** Threads beside this one; 0 for none; absent: none for a few small pictures, else one for each processor, up to 8. */
  readonly workers?: number | undefined;
}

/**
 * Decodes a picture (a file or a reference as `readImage` takes it) to RGB: upright by its EXIF orientation, alpha dropped,
 * colour profile ignored, as Pillow's `convert("RGB")`. With `bytes` these are decoded, and `file` is their name in errors.
 * Errors: DataError naming the file when it is missing or no image.
 */
export async function decodeImage(file: string, bytes?: Uint8Array): Promise<RgbImage> {
  return decode(file, bytes ?? (isParquetRef(file) ? await readImage(file) : undefined));
}

/**
 * Pictures, resized, cropped and mirrored in this order, as a uint8 tensor [N, 3, size, size] that no scope owns: the caller
 * disposes of it. Errors: those of `decodeImage` and of `read`; ConfigError for a size below 1.
 */
export async function loadImages(files: readonly string[], options: LoadImagesOptions): Promise<Tensor> {
  const { size, crops, flips, read, onProgress, signal, concurrency } = options;
  const each = 3 * size * size;
  using lease = leaseWorkers({ workers: options.workers, values: files.length * each });
  const images = keep(empty([files.length, 3, size, size], { dtype: "uint8" }));
  let done = 0;
  try {
    await preparePictures(files.length, {
      ...{ read, signal, concurrency, workers: lease.workers },
      job: (i) => ({
        file: files[i]!,
        fit: { size },
        placement: {
          crop: crops && { vertical: crops[2 * i]!, horizontal: crops[2 * i + 1]! },
          mirrored: Boolean(flips?.[i]),
        },
      }),
      use(i, write) {
        scope(() => images.select(0, i).withBytes(write));
        onProgress?.(++done, files.length);
      },
    });
    return images;
  } catch (error) {
    images.dispose();
    throw error;
  }
}

/** uint8 pictures as float32 in [-1, 1]. */
export function toModelRange(images: Tensor): Tensor {
  return scope(() => images.to("float32").div(127.5).sub(1));
}

/** Model output as uint8 pictures; values outside [-1, 1] are clamped. */
export function fromModelRange(images: Tensor): Tensor {
  return scope(() => images.detach().to("float32").clamp(-1, 1).mul(127.5).add(127.5).round().to("uint8"));
}

/** One uint8 picture [3, H, W] as the bytes of a PNG file. */
export async function encodePng(image: Tensor): Promise<Buffer> {
  if (image.ndim !== 3 || image.shape[0] !== 3 || image.dtype !== "uint8")
    throw new ShapeError(
      `encodePng was given ${image.dtype} [${image.shape.join(", ")}]; expected uint8 [3, H, W].`,
    );
  const [, height = 0, width = 0] = image.shape;
  const rows = scope(() => image.permute([1, 2, 0]).contiguous().toArray() as Uint8Array);
  return await sharp(rows, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

/** Writes one uint8 picture [3, H, W] as a PNG file. */
export async function savePng(path: string, image: Tensor): Promise<void> {
  writeFileAtomic(path, await encodePng(image));
}
