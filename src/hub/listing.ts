// What a repository holds: the commit of a revision, and its files with sizes and hashes, through @huggingface/hub.
import type { ListFileEntry } from "@huggingface/hub";
import type { RemoteFile } from "./cache.ts";
import type { HubSettings } from "./environment.ts";
import { type Asked, DownloadError, statusError, TransientError } from "./errors.ts";
import { request } from "./http.ts";
import { isCommit, type RepoType, unsafePath } from "./names.ts";
import { retrying, type RetryOptions } from "./retry.ts";

export interface RepoPlace {
  readonly type: RepoType;
  /** OWNER/NAME. */
  readonly repo: string;
  readonly revision: string;
}

export interface ListingOptions extends RetryOptions {
  readonly stallMs?: number | undefined;
}

/** A list of files is at most this long, in characters of JSON. */
const MAX_PAGE = 256 * 1024 * 1024;

/** Page of a repository for people. */
export const repoPage = ({ endpoint }: HubSettings, { type, repo }: RepoPlace): string =>
  `${endpoint}/${type === "dataset" ? "datasets/" : ""}${repo}`;

/** What is asked for, for the words of a refusal. */
export const askedRepo = (settings: HubSettings, place: RepoPlace): Asked => ({
  what: `the ${place.type === "dataset" ? "data set" : "model"} ${place.repo}`,
  page: repoPage(settings, place),
  revision: place.revision,
  hasToken: settings.credential !== undefined,
});

/** Address of a file at a commit. */
export const fileUrl = (settings: HubSettings, place: RepoPlace, commit: string, path: string): string =>
  `${repoPage(settings, place)}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`;

/** The commit (40 digits) of a branch, tag or commit. Throws RefusedError, DownloadError. */
export async function resolveCommit(
  settings: HubSettings,
  place: RepoPlace,
  options: ListingOptions,
): Promise<string> {
  // Loaded when it is needed: most commands ask nobody.
  const { datasetInfo, modelInfo } = await import("@huggingface/hub");
  const asked = {
    name: place.repo,
    revision: place.revision,
    hubUrl: settings.endpoint,
    fetch: hubFetch(settings, place, options),
  };
  const { sha } =
    place.type === "dataset"
      ? await datasetInfo({ ...asked, additionalFields: ["sha"] })
      : await modelInfo({ ...asked, additionalFields: ["sha"] });
  if (typeof sha === "string" && isCommit(sha)) return sha;
  throw new DownloadError(
    `${settings.endpoint} gave ${JSON.stringify(sha)} as the commit of ${place.repo}; expected 40 digits.`,
  );
}

/** All files of a commit, sorted. Throws RefusedError, DownloadError; also for names that could leave the cache. */
export async function listRemoteFiles(
  settings: HubSettings,
  place: RepoPlace,
  commit: string,
  options: ListingOptions,
): Promise<RemoteFile[]> {
  const { listFiles } = await import("@huggingface/hub");
  const { type, repo: name } = place;
  const files: RemoteFile[] = [];
  const listed = listFiles({
    repo: { type, name },
    recursive: true,
    revision: commit,
    hubUrl: settings.endpoint,
    fetch: hubFetch(settings, place, options),
  });
  for await (const entry of listed) if (entry.type === "file") files.push(remoteFile(entry, name));
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function remoteFile({ path, size, oid, lfs }: ListFileEntry, repo: string): RemoteFile {
  const unsafe = unsafePath(path);
  if (unsafe !== undefined)
    throw new DownloadError(`${repo} lists a file ${JSON.stringify(path)}: ${unsafe}; refused.`);
  // Large files are known by their SHA-256, small ones by git's SHA-1.
  const hash = (lfs?.oid ?? oid ?? "").replace(/^sha256:/, "");
  const isHash = lfs === undefined ? /^[0-9a-f]{40}$/ : /^[0-9a-f]{64}$/;
  const bytes = lfs?.size ?? size;
  if (isHash.test(hash) && Number.isSafeInteger(bytes) && bytes >= 0) return { path, size: bytes, hash };
  throw new DownloadError(
    `${repo} lists ${path} with hash ${JSON.stringify(hash)} and size ${String(bytes)}; expected a SHA-256 or SHA-1 to check it by.`,
  );
}

/** The library's way to the network: ours, which guards the token, tries again, and explains refusals. */
function hubFetch(settings: HubSettings, place: RepoPlace, options: ListingOptions): typeof fetch {
  return async (input) => {
    const url = input instanceof Request ? input.url : String(input);
    return await retrying(async () => {
      const { signal, stallMs } = options;
      const headers = { accept: "application/json" };
      const answer = await request(url, { headers, credential: settings.credential, signal, stallMs });
      if (answer.status !== 200) {
        answer.close();
        throw statusError(answer.status, answer.headers, answer.url, askedRepo(settings, place));
      }
      const text = await textOf(answer.chunks(), answer.url);
      const next = answer.headers.get("link");
      return new Response(text, { headers: next === null ? {} : { link: next } });
    }, options);
  };
}

async function textOf(chunks: AsyncIterable<Uint8Array>, url: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_PAGE)
      throw new DownloadError(`${url} gave more than ${MAX_PAGE} characters; that is no list of files.`);
  }
  text += decoder.decode();
  try {
    JSON.parse(text);
  } catch (cause) {
    throw new TransientError(`${new URL(url).host} gave no JSON for ${url}`, { cause });
  }
  return text;
}
