// Pictures to be judged, all of one size, each known by its content: features are kept under that.
import { createHash } from "node:crypto";

import { loadImages } from "../../data/index.ts";
import { keep, scope, ShapeError, type Tensor, tensor } from "../../torch/index.ts";
import { hashFiles, type HashFilesOptions } from "../cache/index.ts";
import { type KnownHashes, sha256 } from "../hash.ts";
import { readKnownFiles, writeKnownFiles } from "./known-files.ts";

export interface ImageSet {
  /** SHA-256 of each picture, [N]; equal pictures have equal keys. */
  readonly keys: readonly string[];
  /** These pictures, uint8 [rows, 3, H, W] on the CPU; the caller disposes of them. Errors: DataError naming a broken file. */
  load(rows: readonly number[]): Promise<Tensor>;
}

/** Rows of a tensor in a new one that no scope owns. */
export const rowsOf = (table: Tensor, rows: readonly number[]): Tensor =>
  keep(scope(() => table.indexSelect(0, tensor(Int32Array.from(rows), { dtype: "int64" }))));

/**
 * Pictures in memory or mapped from a file, uint8 [N, 3, H, W] on the CPU; the caller keeps the tensor alive and owns it.
 * `keys` are those of `tensorKeys` if they are known.
 */
export const tensorImages = (images: Tensor, keys: readonly string[] = tensorKeys(images)): ImageSet => ({
  keys,
  load: (rows) => Promise.resolve(rowsOf(images, rows)),
});

/** SHA-256 of each picture's size and bytes. Errors: ShapeError for other tensors. */
export function tensorKeys(images: Tensor): string[] {
  const [count = 0, channels] = images.shape;
  if (images.dtype !== "uint8" || images.ndim !== 4 || channels !== 3)
    throw new ShapeError(
      `Images of ${images.dtype} [${images.shape.join(", ")}]; expected uint8 [N, 3, H, W].`,
    );
  const shape = images.shape.slice(1).join("x");
  const size = count > 0 ? images.numel / count : 0;
  const hashOf = (bytes: Uint8Array) => createHash("sha256").update(shape).update(bytes).digest("hex");
  return scope(() =>
    images
      .contiguous()
      .withBytes((bytes) =>
        Array.from({ length: count }, (_, i) => hashOf(bytes.subarray(i * size, (i + 1) * size))),
      ),
  );
}

export interface FileImagesOptions extends Pick<HashFilesOptions, "signal" | "onProgress"> {
  /** Folder of the features, where the files' hashes are kept too; without it every file is read. */
  readonly folder?: string | undefined;
}

/** Picture files, resized and cropped in the middle to `size` pixels as for training. Errors: those of `hashFiles`. */
export async function fileImages(
  files: readonly string[],
  size: number,
  { folder, signal, onProgress }: FileImagesOptions = {},
): Promise<ImageSet> {
  const known = folder === undefined ? (new Map() as KnownHashes) : readKnownFiles(folder);
  const before = new Map(known);
  const hashes = await hashFiles(files, { known, signal, onProgress });
  const isNew = [...known].some(([file, entry]) => before.get(file) !== entry);
  if (folder !== undefined && isNew) writeKnownFiles(folder, known);
  return {
    keys: hashes.map((hash) => sha256(`${hash} centre ${size}`)),
    load: (rows) =>
      loadImages(
        rows.map((row) => files[row]!),
        { size, signal },
      ),
  };
}
