// Models, data sets and networks from the network: downloads into the Hugging Face cache, single files, zips.
export { copyOut } from "./copy-out.ts";
export { downloadFile } from "./download-file.ts";
export type { DownloadedFile, DownloadFileRequest } from "./download-file.ts";
export { downloadRepo, fetchPlan } from "./download-repo.ts";
export type { DownloadedRepo, DownloadProgress, RepoDownload } from "./download-repo.ts";
export { hubSettings, networksFolder } from "./environment.ts";
export type { Environment, HubOptions, HubSettings } from "./environment.ts";
export { DownloadError, RefusedError, WrongBytesError } from "./errors.ts";
export type { RepoType } from "./names.ts";
export {
  downloadNetwork,
  KNOWN_NETWORKS,
  networkName,
  networkPath,
  networkPlace,
  networkUrl,
} from "./networks.ts";
export type { NetworkName, NetworkOptions } from "./networks.ts";
export {
  downloadPublished,
  planPublished,
  PUBLISHED_PARTS,
  PUBLISHED_REPO,
  PUBLISHED_SETS,
  publishedSet,
  unpackFolder,
} from "./published.ts";
export type { PublishedOptions, PublishedPart, PublishedSet } from "./published.ts";
export { planRepo } from "./repo-plan.ts";
export type { PlannedFile, RepoPlan, RepoRequest } from "./repo-plan.ts";
export { findCached, parseDatasetName, resolveDataset } from "./resolve-dataset.ts";
export type { DatasetName } from "./resolve-dataset.ts";
export { type RetryPolicy } from "./retry.ts";
export { extractZip } from "./zip/extract-zip.ts";
export type { Extracted, ExtractOptions } from "./zip/extract-zip.ts";
export { DEFAULT_LIMITS, type ZipLimits } from "./zip/limits.ts";
