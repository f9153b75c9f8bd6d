// Runs `invdiff data inspect`.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { inspectDataset, openSplits, pictureGrid } from "../data/inspect/index.ts";
import { ConfigError } from "../experiment/errors.ts";
import { parseDatasetName, resolveDataset } from "../hub/index.ts";
import { writeFileAtomic } from "../torch/index.ts";
import { hasFaults, inspectionText } from "./data-text.ts";
import { byteProgress } from "./download-text.ts";
import { session } from "./session.ts";

export interface InspectOptions {
  readonly split?: string | undefined;
  readonly captionColumn?: string | undefined;
  readonly grid?: string | undefined;
  readonly gridImages: number;
  readonly force?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** Errors: ConfigError for a sheet that would be overwritten; DataError; those of `resolveDataset`; StoppedError when interrupted. */
export async function runInspect(path: string, options: InspectOptions): Promise<void> {
  const { split, captionColumn, grid, gridImages, force = false, json = false } = options;
  if (grid !== undefined && existsSync(grid) && !force)
    throw new ConfigError(`${grid} exists; choose another file for --grid, or replace it with --force.`);
  const folder = await folderOf(path);
  // Before Ctrl-C is listened for: this reads folders without a pause.
  const opened = openSplits(folder, split);
  await session(async ({ signal, progress }) => {
    const { inspection, readable } = await inspectDataset(folder, opened, {
      ...{ captionColumn, signal },
      onProgress: (part, done, total) =>
        progress({ stage: part ?? "pictures", task: "decoding", done, total, unit: "images" }),
    });
    if (grid !== undefined && readable.length > 0)
      writeFileAtomic(grid, await pictureGrid(readable, { count: gridImages, signal }));
    console.log(json ? JSON.stringify(inspection, null, 2) : inspectionText(inspection));
    if (grid !== undefined && readable.length > 0 && !json) console.log(`Pictures: ${resolve(grid)}`);
    if (hasFaults(inspection)) process.exitCode = 1;
  });
}

/** A path as it is; a name of a data set from the cache, or downloaded. */
async function folderOf(path: string): Promise<string> {
  if (existsSync(path) || parseDatasetName(path) === undefined) return path;
  let found = path;
  await session(async ({ signal, progress, note }) => {
    note(`${path} is no folder here; taken for a data set on the hub.`);
    found = (await resolveDataset(path, { signal, onProgress: byteProgress(progress, path) })).path;
  });
  return found;
}
