/**
 * The cache of Python's huggingface_hub, so that both find each other's files:
 *
 *     models--OWNER--NAME/blobs/<sha256, or git's sha1 of small files>   the bytes, once
 *     models--OWNER--NAME/snapshots/<commit>/unet/config.json            relative link to ../../../blobs/<hash>
 *     models--OWNER--NAME/refs/main                                      the commit that a branch or tag was at
 *     models--OWNER--NAME/.invdiff/<commit>.json                         names and sizes on the server: what "complete" means (ours)
 *
 * (huggingface_hub 1.33 file_download.py.)
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { copyFile, link, mkdir, rename, rm, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { temporaryName, writeFileAtomic } from "../torch/atomic-file.ts";
import { isCommit, type RepoType, unsafePath } from "./names.ts";

export interface CachedFile {
  /** Relative to the repository, with "/". */
  readonly path: string;
  readonly size: number;
}

/** A file as the server lists it. `hash` names its blob: SHA-256 of large files, git's SHA-1 of small ones. */
export interface RemoteFile extends CachedFile {
  readonly hash: string;
}

/** Folder of a repository in the cache. */
export const repoFolder = (cacheDir: string, type: RepoType, repo: string): string =>
  join(cacheDir, [`${type}s`, ...repo.split("/")].join("--"));

export const blobPath = (root: string, hash: string): string => join(root, "blobs", hash);

export const snapshotFolder = (root: string, commit: string): string => join(root, "snapshots", commit);

/** Whether a file (what a link leads to) is there with this many bytes. */
export function hasSize(path: string, size: number): boolean {
  try {
    const found = statSync(path);
    return found.isFile() && found.size === size;
  } catch {
    return false;
  }
}

/** The commit that a revision was at when it was last downloaded. */
export function cachedCommit(root: string, revision: string): string | undefined {
  if (isCommit(revision)) return revision;
  try {
    const commit = readFileSync(join(root, "refs", revision), "utf8").trim();
    return isCommit(commit) ? commit : undefined;
  } catch {
    return undefined;
  }
}

export function writeRef(root: string, revision: string, commit: string): void {
  if (revision !== commit && cachedCommit(root, revision) !== commit)
    writeFileAtomic(join(root, "refs", revision), commit);
}

const listingPath = (root: string, commit: string): string => join(root, ".invdiff", `${commit}.json`);

/** A commit never changes, so its list of files is kept for good. */
export function writeListing(root: string, commit: string, files: readonly RemoteFile[]): void {
  const plain = files.map(({ path, size, hash }) => ({ path, size, hash }));
  writeFileAtomic(listingPath(root, commit), `${JSON.stringify({ version: 1, files: plain })}\n`);
}

export function readListing(root: string, commit: string): RemoteFile[] | undefined {
  return ownListing(root, commit) ?? pythonListing(root, commit);
}

function ownListing(root: string, commit: string): RemoteFile[] | undefined {
  try {
    const { version, files } = JSON.parse(readFileSync(listingPath(root, commit), "utf8")) as Record<
      string,
      unknown
    >;
    return version === 1 && Array.isArray(files) && files.every(isRemoteFile) ? files : undefined;
  } catch {
    return undefined; // Not listed before, or damaged: it is asked for again.
  }
}

/** The list that newer releases of huggingface_hub keep (_tree_cache.py). */
function pythonListing(root: string, commit: string): RemoteFile[] | undefined {
  try {
    const text = readFileSync(join(root, "trees", `${commit}.json`), "utf8");
    const { format_version: version, files } = JSON.parse(text) as Record<string, unknown>;
    if (version !== 1) return undefined;
    const listed = Object.entries(files as Record<string, Record<string, unknown>>).map(([path, info]) => ({
      path,
      size: info["lfs_size"] ?? info["size"],
      hash: info["lfs_sha256"] ?? info["blob_id"],
    }));
    return listed.every(isRemoteFile) ? listed.sort((a, b) => (a.path < b.path ? -1 : 1)) : undefined;
  } catch {
    return undefined;
  }
}

const isRemoteFile = (value: unknown): value is RemoteFile => {
  const { path, size, hash } = (value ?? {}) as Record<string, unknown>;
  return (
    typeof path === "string" &&
    unsafePath(path) === undefined &&
    Number.isSafeInteger(size) &&
    typeof hash === "string" &&
    /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash)
  );
};

/** The files of a snapshot that are there, sorted: those that Python or this program put there. */
export function snapshotFiles(root: string, commit: string): CachedFile[] {
  const folder = snapshotFolder(root, commit);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => ({
      path: name.replaceAll("\\", "/"),
      found: statSync(join(folder, name), { throwIfNoEntry: false }),
    }))
    .flatMap(({ path, found }) => (found?.isFile() === true ? [{ path, size: found.size }] : []))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Puts a blob into a snapshot: a relative link; where the file system has none a hard link, or a copy. */
export async function linkBlob(
  blob: string,
  pointer: string,
  makeLink: typeof symlink = symlink,
): Promise<void> {
  await mkdir(dirname(pointer), { recursive: true });
  const temporary = temporaryName(pointer);
  await rm(temporary, { force: true });
  await makeLink(relative(dirname(pointer), blob), temporary)
    .catch(() => link(blob, temporary))
    .catch(() => copyFile(blob, temporary));
  await rename(temporary, pointer);
}
