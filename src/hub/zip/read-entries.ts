/**
 * The entries of a zip, all of them judged before a byte is written: names that leave the folder or collide, links, special files,
 * encrypted files and too much of anything are refused.
 */
import yauzl, { type Entry, type ZipFile } from "yauzl";
import { DownloadError } from "../errors.ts";
import { foldedName, unsafePath } from "../names.ts";
import { checkLimits, type ZipLimits } from "./limits.ts";

export interface ZipEntry {
  /** Relative path with "/", without one at its end. */
  readonly path: string;
  readonly isFolder: boolean;
  readonly size: number;
  readonly entry: Entry;
}

const STORED = 0;
const DEFLATED = 8;
/** Kinds of Unix files in the upper half of an entry's attributes. */
const KIND = 0o170000;
const KINDS: Readonly<Record<number, string>> = {
  0o120000: "a link",
  0o010000: "a pipe",
  0o020000: "a device",
  0o060000: "a device",
  0o140000: "a socket",
};

/** Reads the list of entries. Throws DownloadError naming the first that is refused. */
export async function readEntries(zip: string, file: ZipFile, limits: ZipLimits): Promise<ZipEntry[]> {
  const refuse = (name: string, why: string): never => {
    throw new DownloadError(`${zip} holds ${JSON.stringify(name)}: ${why}; refused, nothing was unpacked.`);
  };
  const names = nameKeeper(refuse);
  const entries: ZipEntry[] = [];
  let bytes = 0;
  let packed = 0;
  const check = (count: number) =>
    checkLimits(zip, { entries: count, bytes, packed, zipBytes: file.fileSize }, limits);
  check(file.entryCount);
  for await (const entry of file.eachEntry()) {
    const name = yauzl.getFileNameLowLevel(
      entry.generalPurposeBitFlag,
      entry.fileNameRaw,
      entry.extraFields,
      true,
    );
    const isFolder = name.endsWith("/");
    const path = isFolder ? name.slice(0, -1) : name;
    const unsafe = unsafePath(path);
    if (unsafe !== undefined) refuse(name, unsafe);
    const kind = KINDS[(entry.externalFileAttributes >>> 16) & KIND];
    if (kind !== undefined) refuse(name, `it is ${kind}`);
    if (entry.isEncrypted()) refuse(name, "it is encrypted");
    const { compressionMethod: method, uncompressedSize: size } = entry;
    if (method !== STORED && method !== DEFLATED)
      refuse(name, `its compression (method ${method}) cannot be read here`);
    if (isFolder && size > 0) refuse(name, "it is a folder with content");
    names(path, isFolder);
    bytes += size;
    packed += entry.compressedSize;
    entries.push({ path, isFolder, size, entry });
    check(entries.length);
  }
  return entries;
}

/** Remembers names as file systems that ignore case do; refuses what would meet an earlier name. */
function nameKeeper(refuse: (name: string, why: string) => never) {
  const seen = new Map<string, { readonly path: string; readonly isFolder: boolean }>();
  const keep = (path: string, isFolder: boolean, isImplied: boolean) => {
    const folded = foldedName(path);
    const before = seen.get(folded);
    if (before === undefined) seen.set(folded, { path, isFolder });
    else if (before.path !== path)
      refuse(path, `it collides with ${JSON.stringify(before.path)} where case is ignored`);
    else if (!before.isFolder || !isFolder) refuse(path, "it is there twice");
    return before === undefined || !isImplied;
  };
  return (path: string, isFolder: boolean): void => {
    keep(path, isFolder, false);
    // Folders that a path implies, from the inside out until one is known.
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1))
      if (!keep(path.slice(0, end), true, true)) break;
  };
}
