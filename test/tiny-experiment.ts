// A whole experiment in seconds: settings so small that every stage runs, none of them well.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeBirds } from "../src/data/index.ts";
import {
  type ExperimentConfig,
  parseConfig,
  runExperiment,
  type RunOptions,
  type RunResult,
} from "../src/experiment/index.ts";

type Section = Record<string, unknown>;

/** Twelve steps teach the base enough of the birds that two groups are found. */
export const TINY: Readonly<Record<string, unknown>> = {
  threads: 1,
  data: { train: 96, validation: 48 },
  base: { steps: 12, batchSize: 16, warmup: 2, checkpointEvery: 3 },
  groups: { timesteps: [850, 999] },
  guidance: { steps: 6, batchSize: 16, warmup: 1, rank: 4, checkpointEvery: 2 },
  samples: { perPrompt: 4, steps: 3, batchSize: 4 },
  evaluation: { classifierSteps: 4, bootstrap: 50 },
};

/** The tiny settings as a configuration, changed by `changes` section by section. */
export function tinyConfig(changes: Readonly<Record<string, unknown>> = {}): ExperimentConfig {
  const raw: Record<string, unknown> = { ...TINY };
  for (const [key, value] of Object.entries(changes))
    raw[key] =
      typeof value === "object" && value !== null
        ? { ...(raw[key] as Section), ...(value as Section) }
        : value;
  // A user's folder has its own size.
  if ((raw["data"] as Section)["kind"] === "folder")
    raw["data"] = { ...(raw["data"] as Section), train: undefined, validation: undefined };
  return parseConfig(raw);
}

/** The tiny settings as options of the command line. */
export const tinyOptions = (): string[] =>
  Object.entries(TINY).flatMap(([section, value]) =>
    typeof value === "object" && value !== null
      ? Object.entries(value).flatMap(([key, item]) => ["--set", `${section}.${key}=${JSON.stringify(item)}`])
      : ["--set", `${section}=${JSON.stringify(value)}`],
  );

/** Runs and gives what happened to each stage as "stage state". */
export async function run(
  config: ExperimentConfig,
  out: string,
  options: Partial<RunOptions> = {},
): Promise<RunResult & { events: string[] }> {
  const events: string[] = [];
  const onStage = ({ stage, state }: { stage: string; state: string }) => events.push(`${stage} ${state}`);
  return { ...(await runExperiment(config, { out, onStage, ...options })), events };
}

/** Draws birds into `path` as a user's folder (train/ only is used) and gives the lines of its metadata.jsonl. */
export async function birdFolder(path: string, images: number): Promise<Section[]> {
  await writeBirds(path, { train: images, validation: 2 });
  return readRows(join(path, "train"));
}

export const readRows = (folder: string): Section[] =>
  readFileSync(join(folder, "metadata.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Section);

export const writeRows = (folder: string, rows: readonly Section[]): void =>
  writeFileSync(join(folder, "metadata.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));

export const readJson = <T = Section>(...path: string[]): T =>
  JSON.parse(readFileSync(join(...path), "utf8")) as T;

/** Content of every file below `folder` that ends in `ending`, by name. */
export function filesBelow(folder: string, ending = ""): Map<string, Buffer> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  return new Map(names.sort().map((name) => [name, readFileSync(join(folder, name))]));
}

/** Names of the files whose content differs, or that only one of the two has. */
export function differingFiles(a: ReadonlyMap<string, Buffer>, b: ReadonlyMap<string, Buffer>): string[] {
  const names = [...new Set([...a.keys(), ...b.keys()])];
  return names.filter((name) => !a.has(name) || !b.has(name) || !a.get(name)!.equals(b.get(name)!));
}
