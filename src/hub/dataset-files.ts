// Which files of a data set repository can be opened here: parquet shards, or else an image folder.
import type { CachedFile } from "./cache.ts";
import { DownloadError } from "./errors.ts";

const PARQUET = /\.parquet$/i;
const IMAGE_FOLDER =
  /(\.(png|jpe?g|webp|gif|bmp|tiff?)|(^|\/)metadata\.(csv|jsonl|parquet)|(^|\/)[^/]*\.txt)$/i;
const PICTURE = /\.(png|jpe?g|webp|gif|bmp|tiff?)$/i;
/** Files that every repository may have. */
const ABOUT = /(^|\/)(\.[^/]*|readme[^/]*|licen[cs]e[^/]*|requirements\.txt)$/i;

/** The files to take: parquet shards where there are some, else pictures with captions and metadata. Throws DownloadError for none. */
export function datasetFiles<F extends CachedFile>(files: readonly F[]): F[] {
  const useful = files.filter(({ path }) => !ABOUT.test(path));
  const shards = useful.filter(({ path }) => PARQUET.test(path) && !/(^|\/)metadata\.parquet$/i.test(path));
  if (shards.length > 0) return shards;
  const folder = useful.filter(({ path }) => IMAGE_FOLDER.test(path));
  if (folder.some(({ path }) => PICTURE.test(path))) return folder;
  const names = files
    .slice(0, 8)
    .map(({ path }) => path)
    .join(", ");
  throw new DownloadError(
    `There are neither parquet files nor pictures; the repository holds ${names === "" ? "nothing" : names}${files.length > 8 ? ", ..." : ""}. ` +
      `Most data sets have a parquet copy too: try the revision refs/convert/parquet. Other files: --include PATTERN.`,
  );
}
