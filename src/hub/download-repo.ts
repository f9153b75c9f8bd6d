// A repository, or the chosen files of it, into the Hugging Face cache.
import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { blobPath, hasSize, linkBlob, type RemoteFile, writeListing, writeRef } from "./cache.ts";
import { checkRoom } from "./disk-room.ts";
import { fetchFile, forget } from "./fetch-file.ts";
import { inTurns } from "./in-turns.ts";
import { askedRepo, fileUrl } from "./listing.ts";
import { withLock } from "./lock.ts";
import { type Checksum, hashOf } from "./part-file.ts";
import { partPath, type PlannedFile, planRepo, type RepoPlan, type RepoRequest } from "./repo-plan.ts";

/** State of a download: bytes and files that are there, of all that are wanted. */
export interface DownloadProgress {
  readonly done: number;
  readonly total: number;
  readonly filesDone: number;
  readonly files: number;
}

export interface RepoDownload extends RepoRequest {
  /** Files fetched at once. Default: 4. */
  readonly parallel?: number | undefined;
  /** Reads files that are in the cache and fetches those again whose bytes have changed. Default: their size is enough. */
  readonly verify?: boolean | undefined;
  readonly onPlan?: ((plan: RepoPlan) => void) | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

export interface DownloadedRepo {
  /** Folder with the files: a snapshot of the commit. */
  readonly path: string;
  /** Relative to `path`, with "/". */
  readonly files: readonly string[];
  readonly commit: string;
}

const PARALLEL = 4;

/**
 * Downloads what is missing and returns the folder. What has arrived stays whatever happens, and the same call goes on from there.
 * Throws DownloadError (RefusedError when the server says no) saying what to do, ConfigError, or the signal's reason.
 */
export async function downloadRepo(request: RepoDownload): Promise<DownloadedRepo> {
  const plan = await planRepo(request);
  for (const note of plan.notes) request.onNote?.(note);
  request.onPlan?.(plan);
  await fetchPlan(plan, request);
  return { path: plan.path, files: plan.files.map(({ path }) => path), commit: plan.commit };
}

/** Carries a plan out. Errors as of `downloadRepo`. */
export async function fetchPlan(plan: RepoPlan, options: RepoDownload): Promise<void> {
  const { files, root, settings, listing, commit, place } = plan;
  const { parallel = PARALLEL, verify = false, signal } = options;
  if (verify && !settings.offline) await dropDamaged(plan, options);
  checkRoom(root, plan.missingBytes, place.repo);
  const count = progressCounter(plan, options);
  // Largest first: the end is not one large file alone. Equal contents are one blob.
  const blobs = new Map<string, PlannedFile[]>();
  for (const file of [...files].sort((a, b) => b.size - a.size)) {
    if (hasSize(join(plan.path, file.path), file.size)) count.finished(file);
    else blobs.set(file.hash, [...(blobs.get(file.hash) ?? []), file]);
  }
  await inTurns([...blobs.values()], { limit: parallel, signal }, async (same, stop) => {
    const [first] = same;
    if (first === undefined) return;
    await fetchBlob(plan, first, { ...options, signal: stop }, (held) => count.holds(first, held));
    for (const file of same) {
      const pointer = join(plan.path, file.path);
      if (!hasSize(pointer, file.size)) await linkBlob(blobPath(root, file.hash), pointer);
      count.finished(file);
    }
  });
  if (settings.offline || listing === undefined || listing.some(({ hash }) => hash === "")) return;
  writeListing(root, commit, listing);
  // Last: until then the revision leads to its older, complete snapshot.
  writeRef(root, place.revision, commit);
}

/** Makes sure that the blob of a file is there. */
async function fetchBlob(
  { root, settings, place, commit }: RepoPlan,
  file: RemoteFile,
  options: RepoDownload,
  onHeld: (bytes: number) => void,
): Promise<void> {
  const blob = blobPath(root, file.hash);
  if (hasSize(blob, file.size)) return;
  const lock = join(dirname(root), ".locks", basename(root), `${file.hash}.invdiff.lock`);
  const onWait = () => options.onNote?.(`another process is fetching ${file.path}; waiting for it`);
  await withLock(lock, { signal: options.signal, onWait }, async () => {
    if (hasSize(blob, file.size)) return;
    const part = partPath(root, file.hash);
    const asked = askedRepo(settings, place);
    const source = {
      url: fileUrl(settings, place, commit, file.path),
      credential: settings.credential,
      size: file.size,
      checksum: checksumOf(file),
      asked: { ...asked, what: `${file.path} of ${asked.what}` },
    };
    await fetchFile(part, source, { ...options, onSize: onHeld });
    await rename(part, blob);
  });
}

const checksumOf = ({ hash: hex, size }: RemoteFile): Checksum =>
  hex.length === 64 ? { algorithm: "sha256", hex } : { algorithm: "git-sha1", hex, size };

/** Removes files of the cache whose bytes are not those of their hash. */
async function dropDamaged({ root, files, path }: RepoPlan, { signal, onNote }: RepoDownload): Promise<void> {
  for (const file of files) {
    const [blob, pointer] = [blobPath(root, file.hash), join(path, file.path)];
    const place = [blob, pointer].find((candidate) => existsSync(candidate));
    if (place === undefined || (await hashOf(place, checksumOf(file), signal)) === file.hash) continue;
    onNote?.(`${file.path} in the cache has changed bytes; fetching it again`);
    await forget(blob);
    await forget(pointer);
  }
}

/** Adds up what the files hold, and tells it at most every TELL_MS. */
function progressCounter({ files, totalBytes: total }: RepoPlan, { onProgress }: RepoDownload) {
  const TELL_MS = 50;
  const held = new Map(files.map(({ path, held: bytes }) => [path, bytes]));
  let done = files.reduce((sum, file) => sum + file.held, 0);
  let filesDone = 0;
  let toldAt = -Infinity;
  const tell = (always: boolean) => {
    const now = performance.now();
    if (!always && now - toldAt < TELL_MS) return;
    toldAt = now;
    onProgress?.({ done, total, filesDone, files: files.length });
  };
  const holds = ({ path }: RemoteFile, bytes: number) => {
    done += bytes - (held.get(path) ?? 0);
    held.set(path, bytes);
  };
  return {
    holds(file: RemoteFile, bytes: number) {
      holds(file, bytes);
      tell(false);
    },
    finished(file: RemoteFile) {
      holds(file, file.size);
      filesDone++;
      tell(filesDone === files.length);
    },
  };
}
