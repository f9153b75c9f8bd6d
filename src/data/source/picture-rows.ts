/**
 * Folders of pictures without a metadata file. A caption stands in a text file of the same name (0001.png and 0001.txt), one
 * caption to a line; or, in a set with no such file, it is the name of the folder that the picture lies in, its class.
 */
import { join } from "node:path";
import { DataError } from "../../torch/errors.ts";
import { readCaptionFiles } from "./caption-files.ts";
import { type FoundFiles, type Listing, walkFiles } from "./listing.ts";
import type { Source } from "./source-row.ts";

/** File names that end so are taken for pictures. */
const PICTURES = new Set(["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif"]);
const METADATA = ["metadata.jsonl", "metadata.csv", "metadata.parquet"];

const extension = (name: string): string => name.slice(name.lastIndexOf(".") + 1).toLowerCase();
const stem = (name: string): string => name.slice(0, name.lastIndexOf("."));
const isPicture = (name: string): boolean => PICTURES.has(extension(name));

/** The files below a folder that is listed, or undefined when there are no pictures. Errors: DataError for unreadable folders. */
export function findPictures(folder: string, listing: Listing): FoundFiles | undefined {
  const found = walkFiles(folder, listing);
  return found.files.some(isPicture) || found.broken.some(isPicture) ? found : undefined;
}

/**
 * Rows of the pictures in `folder` (absolute): fields text (one caption or several) and, in sub-folders, label.
 * Errors: DataError for pictures that share a caption file, links to nothing, and metadata that would be overlooked.
 */
export function readPictures(folder: string, { files, broken }: FoundFiles): Source {
  const [dangling] = broken.filter(isPicture);
  if (dangling !== undefined)
    throw new DataError(
      `${join(folder, dangling)} is a link to a file that is not there. Mend or remove it.`,
    );
  const overlooked = files.find((name) => METADATA.some((metadata) => name.endsWith(`/${metadata}`)));
  if (overlooked !== undefined)
    throw new DataError(
      `${join(folder, overlooked)} lies in a sub-folder. Open that folder, or put one metadata file for all pictures into ${folder}.`,
    );
  const pictures = files.filter(isPicture);
  const texts = captionFiles(pictures, files, folder);
  const captions = texts && readCaptionFiles(folder, texts);
  const isClasses = !captions && pictures.every((name) => name.includes("/"));
  const rows = pictures.map((id, i) => {
    const cut = id.indexOf("/");
    const label = cut < 0 ? undefined : id.slice(0, cut);
    const text = captions ? captions[i] : isClasses ? label : undefined;
    const file = join(folder, id);
    const fields = { ...(text !== undefined && { text }), ...(label !== undefined && { label }) };
    return { id, file, where: folder, fields };
  });
  const kind = captions ? "caption files" : isClasses ? "class folders" : "pictures without captions";
  return { kind, folder, rows, exists: () => true };
}

/** The caption file of each picture, undefined where it has none; undefined when no picture has one. Errors: DataError when two have the same. */
function captionFiles(
  pictures: readonly string[],
  files: readonly string[],
  folder: string,
): (string | undefined)[] | undefined {
  const texts = new Map<string, string>();
  for (const name of files) if (extension(name) === "txt") texts.set(stem(name), name);
  if (texts.size === 0) return undefined;
  const users = new Map<string, string>();
  const found = pictures.map((name) => {
    const text = texts.get(stem(name));
    if (text === undefined) return undefined;
    const other = users.get(text);
    if (other !== undefined)
      throw new DataError(
        `${join(folder, text)} could be the caption of ${other} and of ${name}. Give one of the pictures another name.`,
      );
    users.set(text, name);
    return text;
  });
  return users.size > 0 ? found : undefined;
}
