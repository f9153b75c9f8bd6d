// Stages 1 to 3 cannot read the hidden attribute: by their imports, and by what they do when it changes or is gone.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dirname, join as joinPosix, normalize } from "node:path/posix";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planStages } from "../../src/experiment/index.ts";
import { experimentStages } from "../../src/experiment/stages/index.ts";
import { filesIn, isTest, read } from "../house/files.ts";
import {
  birdFolder,
  differingFiles,
  filesBelow,
  readJson,
  run,
  tinyConfig,
  writeRows,
} from "../tiny-experiment.ts";

const COLUMNS = "src/data/evaluation-columns.ts";
/** Gives whole items of a data set, columns included. */
const DATASET = "src/data/dataset.ts";
/** The classifiers' reader of a label column. */
const LABELS = "src/experiment/classifier/read-labels.ts";

/** Project files that a file names in its imports: static, dynamic, type-only, re-exported. */
const importsOf = (path: string): string[] =>
  ts
    .preProcessFile(read(path))
    .importedFiles.map(({ fileName }) => fileName)
    .filter((name) => name.startsWith("."))
    .map((name) => normalize(joinPosix(dirname(path), name)))
    .filter((name) => name.endsWith(".ts"));

/** Everything that the files reach by imports, each with the file that led there. */
function closure(starts: readonly string[]): Map<string, string> {
  const from = new Map(starts.map((path) => [path, ""]));
  // A Map's iteration also visits what is added on the way.
  for (const path of from.keys())
    for (const target of importsOf(path)) if (!from.has(target)) from.set(target, path);
  return from;
}

describe("the imports of stages 1 to 3", () => {
  const stages = ["data", "latents", "base", "groups", "guidance", "samples"].map(
    (name) => `src/experiment/stages/${name}.ts`,
  );
  const method = filesIn("src/method", [".ts"]).filter((path) => !isTest(path));
  const reached = closure([...stages, ...method]);

  it("are followed far enough to mean something", () => {
    expect(method.length).toBeGreaterThan(5);
    for (const path of ["src/data/image-folder.ts", "src/torch/tensor.ts", "src/models/index.ts"])
      expect([...reached.keys()]).toContain(path);
    expect([...closure(["src/experiment/stages/evaluation.ts"]).keys()]).toContain(COLUMNS);
  });

  it("never lead to the evaluation's columns, nor to a stage that reads them", () => {
    const readers = [
      ...["classifiers", "evaluation", "given-groups", "group-labels", "judges", "oracle-groups"],
      "index",
    ];
    const stageFiles = readers.map((name) => `src/experiment/stages/${name}.ts`);
    for (const path of [COLUMNS, DATASET, LABELS, ...stageFiles])
      expect({ path, from: reached.get(path) }).toEqual({ path, from: undefined });
  });

  it("never lead to another reader of metadata", () => {
    const source = "src/data/source/";
    const named = [...reached.keys()].filter(
      (path) => !path.startsWith(source) && /metadata\.(jsonl|csv|parquet)/.test(read(path)),
    );
    // Where it is written (waterbirds and label-file.ts read the official download's), and who gives ids and captions of it.
    expect(named.sort()).toEqual([
      "src/data/birds/write-birds.ts",
      "src/data/image-folder.ts",
      ...["label-file", "prepare", "waterbirds", "write-set"].map((name) => `src/data/prepare/${name}.ts`),
    ]);
    const outside = filesIn("src", [".ts"]).filter((path) => !isTest(path) && !path.startsWith(source));
    const openers = (wanted: RegExp): string[] =>
      outside.filter((path) => importsOf(path).some((to) => wanted.test(to)));
    // One file gives rows of metadata, whatever they are stored in; those that read single formats are behind it.
    expect(openers(/source\/read-source\.ts$/)).toEqual([
      DATASET,
      COLUMNS,
      "src/data/image-folder.ts",
      "src/data/inspect/inspect-dataset.ts",
      LABELS,
    ]);
    expect(openers(/source\/(metadata-\w+|parquet-rows|picture-rows)\.ts$/)).toEqual([]);
    expect([...reached.keys()].filter((path) => path.startsWith("src/data/inspect/"))).toEqual([]);
  });

  it("leave the evaluation's columns to the files that are meant to read them", () => {
    const users = filesIn("src", [".ts"]).filter(
      (path) => !isTest(path) && importsOf(path).includes(COLUMNS),
    );
    const stageFiles = ["classifiers", "given-groups", "group-labels", "judges", "oracle-groups"].map(
      (name) => `src/experiment/stages/${name}.ts`,
    );
    expect(users).toEqual([LABELS, ...stageFiles]);
  });
});

describe("stages 1 to 3 on a user's folder", () => {
  const only = ["latents", "base", "groups", "guidance"];
  let root = "";
  const images = () => join(root, "images");
  const config = () =>
    tinyConfig({
      data: { kind: "folder", path: images() },
      evaluation: { subjectColumn: "subject", hiddenColumn: "place" },
    });
  const variants = ["drawn", "removed", "shuffled"] as const;
  const keys: Record<string, Record<string, string>> = {};
  const oracleKeys: Record<string, string> = {};

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), "invdiff-hidden-"));
    const rows = await birdFolder(images(), 96);
    const removed = rows.map(({ file_name, text }) => ({ file_name, text }));
    const places = rows.map(({ place }) => place);
    const shuffled = rows.map((row, i) => ({ ...row, place: places[(i * 41 + 7) % rows.length] }));
    for (const variant of variants) {
      writeRows(join(images(), "train"), { drawn: rows, removed, shuffled }[variant]);
      const { manifests } = await run(config(), join(root, variant), { only });
      keys[variant] = Object.fromEntries(Object.entries(manifests).map(([name, { key }]) => [name, key]));
      if (variant === "removed") continue;
      const oracle = { ...config(), groups: { ...config().groups, method: "oracle" as const } };
      const plan = await planStages(experimentStages(oracle), oracle, join(root, "none"));
      oracleKeys[variant] = plan.find(({ stage }) => stage.name === "groups-oracle")!.key;
    }
  }, 240_000);
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it("found groups and trained guidance", () => {
    expect(Object.keys(keys["drawn"]!)).toEqual(only);
    expect(readJson(root, "drawn", "groups", "groups.json")).toMatchObject({ found: true, count: 2 });
    expect(readJson<number[]>(root, "drawn", "guidance", "losses.json")).toHaveLength(6);
    // The control: true labels do depend on the column.
    expect(oracleKeys["drawn"]).not.toBe(oracleKeys["shuffled"]);
  });

  it.each(["removed", "shuffled"])("make the same of metadata with the attribute %s", (variant) => {
    expect(keys[variant]).toEqual(keys["drawn"]);
    // What latents are made of is compared below; the cache holds what base and groups are made from.
    for (const stage of only.slice(1)) {
      const [a, b] = ["drawn", variant].map((name) => filesBelow(join(root, name, stage), ".safetensors"));
      expect(a!.size).toBeGreaterThan(0);
      expect(differingFiles(a!, b!)).toEqual([]);
    }
    for (const file of ["groups/groups.json", "guidance/losses.json", "latents/items.json"])
      expect(readJson(root, variant, file)).toEqual(readJson(root, "drawn", file));
  });
});
