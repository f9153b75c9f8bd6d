/**
 * The published artefacts of InvDiff: repository Invdiff/Invdiff-Data (a model repository), zips of classifiers, groupers and
 * models per data set, and the data sets themselves (data/download.py and README.md of the reference).
 */
import { basename, dirname, join } from "node:path";
import { ConfigError } from "../torch/errors.ts";
import { type RemoteFile } from "./cache.ts";
import { fetchPlan, type RepoDownload } from "./download-repo.ts";
import { DownloadError } from "./errors.ts";
import { planRepo, type RepoPlan } from "./repo-plan.ts";
import { extractZip, type Extracted } from "./zip/extract-zip.ts";
import type { ZipLimits } from "./zip/limits.ts";

export const PUBLISHED_REPO = "Invdiff/Invdiff-Data";
export const PUBLISHED_SETS = ["celeba", "fairness", "waterbird"] as const;
export const PUBLISHED_PARTS = ["classifier", "groupers", "models", "datasets"] as const;

export type PublishedSet = (typeof PUBLISHED_SETS)[number];
export type PublishedPart = (typeof PUBLISHED_PARTS)[number];

export interface PublishedOptions extends Omit<RepoDownload, "repo" | "type" | "select" | "onProgress"> {
  /** Default: all. */
  readonly sets?: readonly PublishedSet[] | undefined;
  /** Default: all but the data sets, as the reference's script. */
  readonly only?: readonly PublishedPart[] | undefined;
  /** Folder below which `invariant/...` is made. */
  readonly to: string;
  readonly force?: boolean | undefined;
  readonly limits?: Partial<ZipLimits> | undefined;
  readonly onProgress?:
    | ((progress: { task: string; done: number; total: number; files: number; filesDone: number }) => void)
    | undefined;
}

/** Throws ConfigError, with the names there are. */
export function publishedSet(text: string): PublishedSet {
  // The reference writes both waterbird and waterbirds, fairness and FairFace's own name.
  const name = text
    .toLowerCase()
    .replace(/^waterbirds$/, "waterbird")
    .replace(/^fairface$/, "fairness");
  const found = PUBLISHED_SETS.find((set) => set === name);
  if (found !== undefined) return found;
  throw new ConfigError(
    `There is no published set ${JSON.stringify(text)}; expected ${PUBLISHED_SETS.join(", ")}.`,
  );
}

/** The zips of the sets and parts. Throws DownloadError when one that must be there is not. */
export function publishedFiles(
  files: readonly RemoteFile[],
  sets: readonly PublishedSet[],
  only: readonly PublishedPart[],
): RemoteFile[] {
  return sets.flatMap((set) =>
    only.flatMap((part) => {
      const found = files.filter(({ path }) =>
        part === "datasets"
          ? new RegExp(`^invariant/datasets/${set}[^/]*(/.*)?$`).test(path)
          : path === `invariant/ckpts/${set}/${part}.zip`,
      );
      if (found.length > 0) return found;
      const there = files
        .map(({ path }) => path)
        .filter((path) => path.includes(set))
        .slice(0, 6)
        .join(", ");
      throw new DownloadError(
        `${PUBLISHED_REPO} has no ${part} of ${set} any more; it has ${there === "" ? "nothing of it" : there}. Choose parts by --only.`,
      );
    }),
  );
}

/** What would be downloaded. Errors as of `planRepo`. */
export const planPublished = ({
  sets = PUBLISHED_SETS,
  only = ["classifier", "groupers", "models"],
  onProgress: _,
  ...options
}: PublishedOptions): Promise<RepoPlan> =>
  planRepo({
    ...options,
    repo: PUBLISHED_REPO,
    type: "model",
    select: (files) => publishedFiles(files, sets, only),
  });

/** Folder that a zip of the repository is unpacked into. */
export const unpackFolder = (to: string, path: string): string =>
  join(to, dirname(path), basename(path).replace(/\.zip$/i, ""));

/** Downloads the zips into the cache and unpacks them below `to`, in the reference's folders. Errors as of `downloadRepo` and `extractZip`. */
export async function downloadPublished(options: PublishedOptions): Promise<readonly Extracted[]> {
  const { to, force, limits, signal, onProgress, ...rest } = options;
  const plan = await planPublished(options);
  for (const note of plan.notes) options.onNote?.(note);
  options.onPlan?.(plan);
  await fetchPlan(plan, {
    ...{ ...rest, signal, repo: PUBLISHED_REPO, type: "model" },
    onProgress: (progress) => onProgress?.({ task: "fetching", ...progress }),
  });
  const zips = plan.files.filter(({ path }) => /\.zip$/i.test(path));
  const unpacked: Extracted[] = [];
  for (const { path, hash } of zips)
    unpacked.push(
      await extractZip(join(plan.path, path), unpackFolder(to, path), {
        ...{ force, limits, signal, unwrap: true },
        // The blob was checked against this when it came.
        sha256: hash.length === 64 ? hash : undefined,
        onProgress: (progress) =>
          onProgress?.({
            task: `unpacking ${path}`,
            ...progress,
            files: zips.length,
            filesDone: unpacked.length,
          }),
      }),
    );
  return unpacked;
}
