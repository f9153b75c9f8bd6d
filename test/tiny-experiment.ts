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

/** After twelve steps the base has no clear opinion of its images: the spread solver makes two groups all the same. */
const TINY: Section = {
  threads: 1,
  data: { train: 96, validation: 48 },
  base: { steps: 12, batchSize: 16, warmup: 2, checkpointEvery: 3 },
  groups: { timesteps: [850, 999], solver: "spread" },
  guidance: { steps: 6, batchSize: 16, warmup: 1, rank: 4, checkpointEvery: 2 },
  samples: { perPrompt: 4, steps: 3, batchSize: 4 },
  evaluation: { classifierSteps: 4, bootstrap: 50 },
};

/** The tiny settings, changed section by section. */
function tinySettings(changes: Section): Section {
  const raw: Section = { ...TINY };
  for (const [key, value] of Object.entries(changes))
    raw[key] = isSection(value) ? { ...(raw[key] as Section), ...value } : value;
  return raw;
}

const isSection = (value: unknown): value is Section =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The tiny settings as a configuration. */
export function tinyConfig(changes: Section = {}): ExperimentConfig {
  const raw = tinySettings(changes);
  // A user's folder has its own size.
  const data = raw["data"] as Section;
  if (data["kind"] === "folder") raw["data"] = { ...data, train: undefined, validation: undefined };
  return parseConfig(raw);
}

/** The tiny settings as options of the command line. */
export const tinyOptions = (changes: Section = {}): string[] =>
  Object.entries(tinySettings(changes)).flatMap(([section, value]) =>
    isSection(value)
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
