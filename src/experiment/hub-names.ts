// Data sets and models that a configuration names by their repository, hf://datasets/OWNER/NAME or hf://OWNER/NAME, become
// folders of the local cache: downloaded if they are not there, so that the rest of the program knows paths only.
import { existsSync } from "node:fs";

import type { DownloadProgress } from "../hub/index.ts";
import { isRepoName } from "../hub/names.ts";
import { type ConfigOverride, type LoadConfigOptions, rawValue } from "./config-file.ts";

export interface HubNameOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { done: number; total: number; repo: string }) => void) | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
}

const NAMED = [
  { path: ["data", "path"], type: "dataset" },
  { path: ["data", "validationPath"], type: "dataset" },
  { path: ["model", "path"], type: "model" },
] as const;

/** The settings that are names. Errors: those of reading the configuration. */
export const hubNames = (options: LoadConfigOptions) =>
  NAMED.flatMap(({ path, type }) => {
    const value = rawValue(options, path);
    return typeof value === "string" && value.startsWith("hf://") ? [{ path, type, name: value }] : [];
  });

/** Overrides with the folders in the place of the names; empty without names. Errors: those of the hub's download. */
export async function hubOverrides(
  options: LoadConfigOptions,
  told: HubNameOptions = {},
): Promise<ConfigOverride[]> {
  const overrides: ConfigOverride[] = [];
  for (const { path, type, name } of hubNames(options)) {
    told.onNote?.(`${name} is looked for on the hub; a folder is given by a path that exists.`);
    const folder = type === "dataset" ? await datasetFolder(name, told) : await modelFolder(name, told);
    told.onNote?.(`${name}: ${folder}`);
    overrides.push({ path, value: folder, label: `${path.join(".")} (${name})` });
  }
  return overrides;
}

const request = (repo: string, { signal, onProgress, onNote }: HubNameOptions) => ({
  ...{ signal, onNote },
  onProgress: ({ done, total }: DownloadProgress) => onProgress?.({ done, total, repo }),
});

async function datasetFolder(name: string, told: HubNameOptions): Promise<string> {
  const { resolveDataset } = await import("../hub/index.ts");
  return (await resolveDataset(name, request(name, told))).path;
}

async function modelFolder(name: string, told: HubNameOptions): Promise<string> {
  const { downloadRepo } = await import("../hub/index.ts");
  const [repo = "", revision] = name.replace(/^hf:\/\/(models\/)?/, "").split("@");
  return (await downloadRepo({ ...request(repo, told), repo, type: "model", revision })).path;
}

/** What was typed on a command line as the address of a repository, if it is one and no local path. */
export function asHubName(text: string, type: "dataset" | "model"): string {
  if (text.startsWith("hf://") || existsSync(text) || !isRepoName(text.split("@")[0]!)) return text;
  return type === "dataset" ? `hf://datasets/${text}` : `hf://${text}`;
}
