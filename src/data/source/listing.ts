/** Folders as data sets see them: links are followed, what operating systems leave behind is not there. */
import { readdirSync, realpathSync, statSync } from "node:fs";
import { join, sep } from "node:path";
import { DataError } from "../../torch/errors.ts";

/** What a folder holds, each list in the order of names. */
export interface Listing {
  readonly files: readonly string[];
  readonly folders: readonly string[];
  /** Links to nothing, or in a circle. */
  readonly broken: readonly string[];
}

/** Left by Windows and network drives; names that begin with a dot or two underscores are hidden anyway. */
const LEFTOVERS = new Set([
  ...["Thumbs.db", "thumbs.db", "ehthumbs.db", "desktop.ini", "Desktop.ini"],
  ...["@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information"],
]);

const isHidden = (name: string): boolean =>
  name.startsWith(".") || name.startsWith("__") || LEFTOVERS.has(name);

/** Lists a folder without hidden entries. Errors: DataError when it cannot be read. */
export function listFolder(path: string): Listing {
  const [files, folders, broken]: [string[], string[], string[]] = [[], [], []];
  for (const entry of entriesOf(path)) {
    const { name } = entry;
    if (isHidden(name)) continue;
    if (entry.isFile()) files.push(name);
    else if (entry.isDirectory()) folders.push(name);
    else if (entry.isSymbolicLink()) {
      const kind = linkKind(join(path, name));
      (kind === "file" ? files : kind === "folder" ? folders : broken).push(name);
    }
  }
  // The order of code units, which does not depend on the language of the machine.
  return { files: files.sort(), folders: folders.sort(), broken: broken.sort() };
}

function entriesOf(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (cause) {
    throw new DataError(`${path} cannot be read as a folder: ${(cause as Error).message}.`, { cause });
  }
}

function linkKind(path: string): "file" | "folder" | undefined {
  try {
    return entryKind(path);
  } catch {
    // In a circle, or to where nobody may look: no more to be had than from a link to nothing.
    return undefined;
  }
}

/** What is at a path, links followed; undefined for nothing. Errors: DataError when nobody may look. */
export function entryKind(path: string): "file" | "folder" | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    return found?.isDirectory() ? "folder" : found?.isFile() ? "file" : undefined;
  } catch (cause) {
    throw new DataError(`${path} cannot be read: ${(cause as Error).message}.`, { cause });
  }
}

/** Files below a folder, by names relative to it, with "/". */
export interface FoundFiles {
  /** In the order of names within each folder, sub-folders last. */
  readonly files: readonly string[];
  readonly broken: readonly string[];
}

/** All files below a folder that is listed; links that lead in a circle are left alone. Errors: DataError for a folder that cannot be read. */
export function walkFiles(path: string, top: Listing): FoundFiles {
  const [files, broken]: [string[], string[]] = [[], []];
  const visit = (folder: string, prefix: string, above: readonly string[], listed?: Listing): void => {
    const real = realpathSync(folder);
    if (above.includes(real)) return;
    const listing = listed ?? listFolder(folder);
    for (const name of listing.files) files.push(prefix + name);
    for (const name of listing.broken) broken.push(prefix + name);
    for (const name of listing.folders) visit(join(folder, name), `${prefix}${name}/`, [...above, real]);
  };
  visit(path, "", [], top);
  return { files, broken };
}

/** Checks many files for existence by reading their folders once. */
export function fileFinder(): (path: string) => boolean {
  const folders = new Map<string, ReadonlySet<string>>();
  return (path) => {
    const cut = path.lastIndexOf(sep);
    const folder = path.slice(0, cut);
    let names = folders.get(folder);
    if (!names) folders.set(folder, (names = plainFiles(folder)));
    // Links, and file systems for which "A.png" and "a.png" are the same.
    return names.has(path.slice(cut + 1)) || linkKind(path) === "file";
  };
}

function plainFiles(folder: string): ReadonlySet<string> {
  try {
    const names = new Set<string>();
    for (const entry of readdirSync(folder === "" ? sep : folder, { withFileTypes: true }))
      if (entry.isFile()) names.add(entry.name);
    return names;
  } catch {
    // A missing folder: each of its files is reported by name.
    return new Set();
  }
}
