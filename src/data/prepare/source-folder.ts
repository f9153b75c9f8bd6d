/** Finds label files and pictures in the folder that a download unpacks to, or says what is there instead. */
import { readdirSync, statSync, type Stats } from "node:fs";
import { basename, isAbsolute, join, posix, resolve } from "node:path";
import { DataError } from "../../torch/errors.ts";
import type { PublishedSet } from "./listing.ts";

type Named = Pick<PublishedSet, "title" | "url">;

const isFile = (path: string): boolean => statOf(path)?.isFile() ?? false;
export const isFolder = (path: string): boolean => statOf(path)?.isDirectory() ?? false;

/** Undefined also below a file, where the system's answer is another one. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw cause;
  }
}

/**
 * Absolute path of the first of `names` (relative, with "/") that is a file below `source`.
 * Errors: DataError saying what was looked for, what is there, and where the official download is.
 */
export function findFile(source: string, names: readonly string[], set: Named): string {
  const root = sourceRoot(source, set);
  const found = names.map((name) => join(root, name)).find(isFile);
  if (found !== undefined) return found;
  throw new DataError(
    `${source} is not the ${set.title} download: looked for ${list(names)} and found ${contents(root)}. ` +
      `Give the folder that the official download unpacks to: ${set.url}`,
  );
}

/** Errors: DataError when `source` is no folder. */
export function sourceRoot(source: string, { title, url }: Named): string {
  const root = resolve(source);
  if (isFolder(root)) return root;
  const what = isFile(root) ? `${source} is a file` : `There is no folder ${source}`;
  throw new DataError(`${what}. Give the folder that the ${title} download unpacks to: ${url}`);
}

export interface ImageFolderSearch {
  /** Absolute path of the folder with the label files. */
  readonly root: string;
  /** Where the pictures may lie, relative to it, in this order. */
  readonly places: readonly string[];
  /** Names of pictures as listed. */
  readonly names: readonly string[];
  /** A folder the user named: the only one that counts. */
  readonly given?: string | undefined;
}

/** Listed names of which one shows that a folder is the right one. */
const SAMPLE = 1000;

/**
 * The folder that the listed names are relative to: the first place that holds one of a thousand of them.
 * Errors: DataError when there is none.
 */
export function findImages(set: Named, { root, places, names, given }: ImageFolderSearch): string {
  const folders = given === undefined ? places.map((place) => join(root, place)) : [resolve(given)];
  const step = Math.max(1, Math.floor(names.length / SAMPLE));
  const sample = names.filter((_, i) => i % step === 0);
  const found = folders.find(
    (folder) => isFolder(folder) && sample.some((name) => isFile(join(folder, name))),
  );
  if (found !== undefined) return found;
  if (given !== undefined && !isFolder(folders[0]!))
    throw new DataError(`There is no folder ${given}, which was given for the images.`);
  const looked =
    given === undefined ? `${list(places.map((place) => `${place || "."}/`))} of ${root}` : given;
  throw new DataError(
    `None of the ${names.length} listed ${set.title} images is there: looked for ${names.slice(0, 3).join(", ")}, ... ` +
      `in ${looked} and found ${contents(given === undefined ? root : folders[0]!)}. ` +
      `Unpack the images there, or give their folder by --images. Official download: ${set.url}`,
  );
}

/** A listed name as a path inside a folder. Errors: DataError for one that leads out of it. */
export function safeName(name: string, where: string): string {
  const normal = posix.normalize(name.replaceAll("\\", "/"));
  if (normal === "." || normal.startsWith("..") || isAbsolute(normal) || normal.endsWith("/"))
    throw new DataError(`${where}: "${name}" is no name of a file below the images' folder.`);
  return normal;
}

/** Remembers where a name was listed. Errors: DataError when it was listed before. */
export function onlyOnce(): (name: string, where: string) => void {
  const seen = new Map<string, string>();
  return (name, where) => {
    const before = seen.get(name);
    if (before !== undefined)
      throw new DataError(
        `${where}: "${name}" was listed before (${before}). Every image may be listed once.`,
      );
    seen.set(name, where);
  };
}

const list = (names: readonly string[]): string =>
  names.length < 2 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;

/** The first names in a folder, for a message; a packed archive is pointed at. */
function contents(folder: string): string {
  if (!isFolder(folder)) return `no folder ${folder}`;
  const names = readdirSync(folder)
    .filter((name) => !name.startsWith("."))
    .sort();
  if (names.length === 0) return `nothing in ${folder}`;
  const packed = names.filter((name) => /\.(zip|tgz|tar|tar\.gz|7z(\.\d+)?)$/i.test(name));
  const hint = packed.length > 0 ? `; ${packed[0]} is packed: unpack it first` : "";
  const more = names.length > 6 ? `, ... (${names.length} names)` : "";
  return `${names.slice(0, 6).join(", ")}${more} in ${basename(folder)}/${hint}`;
}
