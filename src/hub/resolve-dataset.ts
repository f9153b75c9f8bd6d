// Data sets by name: OWNER/NAME or hf://datasets/OWNER/NAME, each with @REVISION if wanted.
import { ConfigError } from "../torch/errors.ts";
import { downloadRepo, type DownloadedRepo, type RepoDownload } from "./download-repo.ts";
import { type HubOptions, hubSettings } from "./environment.ts";
import { DownloadError } from "./errors.ts";
import { isRepoName } from "./names.ts";
import { planFromCache, type RepoPlan } from "./repo-plan.ts";

export interface DatasetName {
  readonly repo: string;
  readonly revision: string;
}

const HF = "hf://";

/** Reads the name of a data set; undefined for anything else, such as a path. Throws ConfigError for an hf:// address that is no data set's. */
export function parseDatasetName(text: string): DatasetName | undefined {
  const isHf = text.startsWith(HF);
  const [name = "", ...rest] = text.replace(/^hf:\/\/datasets\//, "").split("@");
  const revision = rest.join("@");
  if (
    isRepoName(name) &&
    !(rest.length > 0 && revision === "") &&
    !(isHf && !text.startsWith(`${HF}datasets/`))
  )
    return { repo: name, revision: revision === "" ? "main" : revision };
  if (isHf)
    throw new ConfigError(
      `${JSON.stringify(text)} is no data set; expected hf://datasets/OWNER/NAME, with @REVISION if wanted.`,
    );
  return undefined;
}

/**
 * The folder of a data set: from the cache when all its parquet shards or pictures are there, without asking the server; else downloaded.
 * Throws ConfigError for a text that is no name, and as `downloadRepo`.
 */
export async function resolveDataset(
  name: string,
  options: Omit<RepoDownload, "repo" | "type" | "revision"> = {},
): Promise<DownloadedRepo & DatasetName> {
  const parsed = parseDatasetName(name);
  if (parsed === undefined)
    throw new ConfigError(
      `${JSON.stringify(name)} is no name of a data set; expected OWNER/NAME or hf://datasets/OWNER/NAME[@REVISION].`,
    );
  const request: RepoDownload = { ...options, ...parsed, type: "dataset" };
  const cached = fromCache(request, { isListed: true });
  if (cached === undefined) return { ...parsed, ...(await downloadRepo(request)) };
  return { ...parsed, path: cached.path, commit: cached.commit, files: cached.files.map(({ path }) => path) };
}

/** The folder of a repository in the cache when what is asked for is all there; the server is not asked. Errors: ConfigError. */
export function findCached(
  request: RepoDownload,
): { readonly path: string; readonly commit: string } | undefined {
  return fromCache(request, { isListed: false });
}

/** `isListed`: only when it is known what the repository holds, unless nobody can be asked. */
function fromCache(request: RepoDownload, { isListed }: { isListed: boolean }): RepoPlan | undefined {
  const settings = hubSettings(request satisfies HubOptions);
  const { type, repo, revision = "main" } = request;
  try {
    const plan = planFromCache(request, settings, { type, repo, revision }, "only the cache was looked into");
    const isLinked = plan.files.every(({ state }) => state === "there");
    const isWhole = !isListed || settings.offline || plan.files.every(({ hash }) => hash !== "");
    return isLinked && isWhole ? plan : undefined;
  } catch (error) {
    if (error instanceof DownloadError) return undefined;
    throw error;
  }
}
