/** A sheet of pictures drawn from a data set, to see what is in it. */
import { drawItems } from "../image-folder.ts";
import { imageGrid } from "../image-grid.ts";
import { loadImages } from "../images.ts";

export interface PictureGridOptions {
  /** Pictures on the sheet, at most. */
  readonly count?: number;
  readonly columns?: number;
  /** Width and height of each, cut from the middle. */
  readonly size?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal | undefined;
}

/** PNG of pictures drawn by the seed, in the order given. Errors: DataError without pictures, or for one that cannot be read. */
export async function pictureGrid(
  files: readonly string[],
  { count = 64, columns = 8, size = 96, seed = 0, signal }: PictureGridOptions = {},
): Promise<Buffer> {
  using pictures = await loadImages(drawItems(files, count, seed), { size, signal });
  return imageGrid(pictures, { columns, gap: 4 });
}
