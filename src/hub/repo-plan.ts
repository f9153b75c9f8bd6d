// What a download of a repository would do: the commit, the files, and how much of them is there already.
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  blobPath,
  cachedCommit,
  hasSize,
  readListing,
  type RemoteFile,
  repoFolder,
  snapshotFiles,
  snapshotFolder,
} from "./cache.ts";
import { datasetFiles } from "./dataset-files.ts";
import { type HubOptions, type HubSettings, hubSettings } from "./environment.ts";
import { DownloadError, RefusedError } from "./errors.ts";
import { listRemoteFiles, type ListingOptions, type RepoPlace, resolveCommit } from "./listing.ts";
import { isForeignPipeline, modelFiles } from "./model-files.ts";
import { checkRepoName, checkRevision, isCommit, type RepoType } from "./names.ts";
import { matcher } from "./patterns.ts";

export interface RepoRequest extends HubOptions, ListingOptions {
  /** OWNER/NAME. */
  readonly repo: string;
  readonly type: RepoType;
  /** Branch, tag or commit. Default: main. */
  readonly revision?: string | undefined;
  /** Patterns of files ("*" crosses "/"). Default: what loading needs; ["*"] for everything. */
  readonly include?: readonly string[] | undefined;
  /** Patterns of files to leave out. */
  readonly exclude?: readonly string[] | undefined;
  /** Variant of a model's weights, such as "fp16". */
  readonly variant?: string | undefined;
  /** Chooses the files in place of `include` and the default. */
  readonly select?: ((files: readonly RemoteFile[]) => readonly RemoteFile[]) | undefined;
}

export interface PlannedFile extends RemoteFile {
  /** In the snapshot; the blob alone; a part of `held` bytes; nothing. */
  readonly state: "there" | "blob" | "part" | "missing";
  /** Bytes that need not be fetched. */
  readonly held: number;
}

export interface RepoPlan {
  readonly place: RepoPlace;
  readonly settings: HubSettings;
  readonly commit: string;
  /** Folder of the repository in the cache. */
  readonly root: string;
  /** Folder with the files of the commit. */
  readonly path: string;
  readonly files: readonly PlannedFile[];
  /** All files of the commit, when the server was asked. */
  readonly listing: readonly RemoteFile[] | undefined;
  /** Bytes of all planned files, and those of them that are not there yet. */
  readonly totalBytes: number;
  readonly missingBytes: number;
  /** What should be said about it. */
  readonly notes: readonly string[];
}

/** Asks the server, or the cache when offline or when the server cannot be reached. Throws DownloadError, RefusedError, ConfigError. */
export async function planRepo(request: RepoRequest): Promise<RepoPlan> {
  const { repo, type, revision = "main" } = request;
  checkRepoName(repo);
  checkRevision(revision);
  const settings = hubSettings(request);
  const place: RepoPlace = { repo, type, revision };
  if (settings.offline) return planFromCache(request, settings, place, "HF_HUB_OFFLINE is set");
  const root = repoFolder(settings.cacheDir, type, repo);
  try {
    const commit = isCommit(revision) ? revision : await resolveCommit(settings, place, request);
    const listing = readListing(root, commit) ?? (await listRemoteFiles(settings, place, commit, request));
    return planOf(request, { settings, place, commit, root, listing });
  } catch (error) {
    // A clear no of the server is not covered up by old files; silence is.
    if (!(error instanceof DownloadError) || error instanceof RefusedError || error.cause === undefined)
      throw error;
    let fallback;
    try {
      fallback = planFromCache(request, settings, place, error.message);
    } catch {
      throw error;
    }
    return { ...fallback, notes: [`${error.message} The copy in the cache is used.`, ...fallback.notes] };
  }
}

/** The plan from the cache alone. Throws DownloadError when something that is asked for is not there. */
export function planFromCache(
  request: RepoRequest,
  settings: HubSettings,
  place: RepoPlace,
  why: string,
): RepoPlan {
  const root = repoFolder(settings.cacheDir, place.type, place.repo);
  const commit = cachedCommit(root, place.revision);
  const online = `Run once with a connection: invdiff download ${place.type} ${place.repo}`;
  if (commit === undefined || !existsSync(snapshotFolder(root, commit)))
    throw new DownloadError(
      `${place.repo} at ${place.revision} is not in the cache ${settings.cacheDir}, and ${why}. ${online}.`,
    );
  // Without a list (Python downloaded it) what is there is all that can be known of.
  const listing =
    readListing(root, commit) ?? snapshotFiles(root, commit).map((file) => ({ ...file, hash: "" }));
  const plan = planOf(request, { settings, place, commit, root, listing });
  const missing = plan.files.filter(({ state }) => state === "missing" || state === "part");
  if (missing.length === 0) return plan;
  throw new DownloadError(
    `${place.repo} is only in part in the cache ${settings.cacheDir}: ${missing.length} files are missing ` +
      `(${missing
        .slice(0, 3)
        .map(({ path }) => path)
        .join(", ")}${missing.length > 3 ? ", ..." : ""}), and ${why}. ${online}.`,
  );
}

interface Known {
  readonly settings: HubSettings;
  readonly place: RepoPlace;
  readonly commit: string;
  readonly root: string;
  readonly listing: readonly RemoteFile[];
}

function planOf(request: RepoRequest, { settings, place, commit, root, listing }: Known): RepoPlan {
  const files = choose(request, listing, place).map((file) => planned(file, root, commit));
  const sum = (bytes: (file: PlannedFile) => number) => files.reduce((total, file) => total + bytes(file), 0);
  const foreign = place.type === "model" && isForeignPipeline(listing);
  const notes = foreign
    ? [
        `${place.repo} has parts that Stable Diffusion 1.x and 2.x do not have; this program cannot sample with it.`,
      ]
    : [];
  return {
    ...{ place, settings, commit, root, files, listing, notes },
    path: snapshotFolder(root, commit),
    totalBytes: sum(({ size }) => size),
    missingBytes: sum(({ size, held }) => size - held),
  };
}

function choose(
  { include, exclude, select, variant }: RepoRequest,
  listing: readonly RemoteFile[],
  { repo, type }: RepoPlace,
) {
  const chosen = () => {
    if (select !== undefined) return select(listing);
    if (include !== undefined) return listing.filter(({ path }) => matcher(include)(path));
    return type === "model" ? modelFiles(listing, { variant }) : datasetFiles(listing);
  };
  const isOut = matcher(exclude ?? []);
  const files = chosen().filter(({ path }) => !isOut(path));
  if (files.length > 0) return files;
  const names = listing
    .slice(0, 8)
    .map(({ path }) => path)
    .join(", ");
  throw new DownloadError(
    `No file of ${repo} is chosen by --include ${(include ?? []).join(" ")} --exclude ${(exclude ?? []).join(" ")}; ` +
      `it holds ${listing.length} files: ${names}${listing.length > 8 ? ", ..." : ""}.`,
  );
}

function planned(file: RemoteFile, root: string, commit: string): PlannedFile {
  const { size, path, hash } = file;
  if (hasSize(join(snapshotFolder(root, commit), path), size)) return { ...file, state: "there", held: size };
  if (hash === "") return { ...file, state: "missing", held: 0 };
  if (hasSize(blobPath(root, hash), size)) return { ...file, state: "blob", held: size };
  const part = statSync(partPath(root, hash), { throwIfNoEntry: false });
  if (part !== undefined && part.size > 0 && part.size <= size)
    return { ...file, state: "part", held: part.size };
  return { ...file, state: "missing", held: 0 };
}

/** Where a blob is put together; an earlier try leaves its part here. */
export const partPath = (root: string, hash: string): string => `${blobPath(root, hash)}.incomplete`;
