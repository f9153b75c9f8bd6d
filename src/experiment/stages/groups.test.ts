// The groups stages between a real latents stage and a base with fresh weights.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import * as py from "../../../test/pickle-bytes.ts";
import {
  birdFolder,
  differingFiles,
  filesBelow,
  readJson,
  readRows,
  tinyConfig,
  writeRows,
} from "../../../test/tiny-experiment.ts";
import { writeSafetensors } from "../../checkpoint/index.ts";
import { saveUnet } from "../../models/index.ts";
import { DataError, scope, setNumThreads, tensor } from "../../torch/index.ts";
import type { ExperimentConfig } from "../config.ts";
import { readGroupHistograms, readLosses } from "../groups/index.ts";
import { type RunOptions, runStages } from "../runner.ts";
import type { Progress, Stage } from "../stage.ts";
import { columnGroupsStage, fileGroupsStage } from "./given-groups.ts";
import { type GroupsSummary, groupsStage, loadGroups } from "./groups.ts";
import { latentsStage } from "./latents.ts";
import { initialUnet } from "./materials.ts";

const IMAGES = 24;
let root: string;
let images: string;
let ids: string[];
beforeAll(async () => {
  setNumThreads(1);
  root = mkdtempSync(join(tmpdir(), "groups-stage-"));
  images = join(root, "images");
  const rows = await birdFolder(images, IMAGES);
  ids = rows.map((row) => row["file_name"] as string);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Groups = Partial<ExperimentConfig["groups"]>;
const configOf = (groups: Groups): ExperimentConfig =>
  tinyConfig({
    data: { kind: "folder", path: images, cacheFolder: join(root, "cache") },
    groups: { timesteps: [850, 999], solver: "spread", ...groups },
  });

const freshBase: Stage = {
  name: "base",
  needs: [],
  inputs: () => ({}),
  run: ({ config, dir }) => {
    using unet = initialUnet(config);
    saveUnet(join(dir, "unet"), unet);
    return Promise.resolve({});
  },
};

type MakeStage = (config: ExperimentConfig) => Stage;
const inferred: MakeStage = (config) => groupsStage("groups", config);

async function run(
  out: string,
  config: ExperimentConfig,
  make: MakeStage,
  options: Partial<RunOptions> = {},
) {
  const stages = [latentsStage(config), freshBase, make(config)];
  const { manifests } = await runStages(stages, config, { out: join(root, out), ...options });
  return manifests[stages[2]!.name]!.result;
}

describe("stage groups", () => {
  const config = () => configOf({ batchSize: 4, shardSize: 8, contrast: "both" });

  it("keeps groups and losses by item id and tells its speed", async () => {
    const told: Progress[] = [];
    const result = await run("whole", config(), inferred, { onProgress: (progress) => told.push(progress) });
    expect(result).toMatchObject({ method: "profile signal, spread solver", found: true, images: IMAGES });
    expect(result["imagesPerSecond"]).toBeGreaterThan(0);
    const own = told.filter(({ stage }) => stage === "groups");
    expect(own.at(-1)).toMatchObject({
      task: "measuring losses",
      done: IMAGES,
      total: IMAGES,
      unit: "images",
    });
    const dir = join(root, "whole", "groups");
    const losses = readLosses(join(dir, "losses"));
    expect(losses.ids).toEqual(ids);
    expect(losses.columns.map(({ contrast }) => contrast)).toEqual([false, true, false, true]);
    expect(readdirSync(join(dir, "losses"))).toHaveLength(IMAGES / 8 + 1);
    const shuffled = ids.toReversed();
    const [groups, backwards] = [loadGroups(dir), loadGroups(dir, shuffled)];
    expect(groups.ids).toEqual(ids);
    expect(backwards.weights.subarray(0, 2)).toEqual(groups.weights.subarray(-2));
    expect(readJson<GroupsSummary>(dir, "groups.json")).toMatchObject({
      sizes: result["sizes"],
      columns: losses.columns,
    });
    expect(readGroupHistograms(dir).get("groups/loss 999, contrast")).toHaveLength(IMAGES);
  });

  it("goes on after Ctrl-C with the same bits", async () => {
    const abort = new AbortController();
    const onProgress = ({ task, done }: Progress) => {
      if (task === "measuring losses" && done >= 12) abort.abort(new Error("stop"));
    };
    const stopped = run("parts", config(), inferred, { signal: abort.signal, onProgress });
    await expect(stopped).rejects.toThrow("stop");
    expect(readdirSync(join(root, "parts", "groups.partial", "losses"))).toHaveLength(2);
    const result = await run("parts", config(), inferred);
    expect(result["images"]).toBe(IMAGES);
    const [whole, parts] = ["whole", "parts"].map((out) => {
      const files = filesBelow(join(root, out, "groups"));
      files.delete("manifest.json");
      return files;
    });
    expect(whole!.size).toBe(IMAGES / 8 + 1 + 2);
    // The index names the stage's key, which is the same too.
    expect(differingFiles(whole!, parts!)).toEqual([]);
  });
});

describe("stage groups-file", () => {
  const path = () => join(root, "given.safetensors");
  const write = (own: readonly string[]) => {
    scope(() => {
      const weights = tensor(
        own.flatMap((id) => (id === ids[5] ? [0, 2] : [3, 1])),
        { shape: [own.length, 2] },
      );
      writeSafetensors(path(), { weights });
    });
    writeFileSync(join(root, "given.json"), JSON.stringify({ ids: own }));
  };

  it("takes the rows of the images from a file in any order, with others among them", async () => {
    write(["other.png", ...ids.toReversed()]);
    const config = configOf({ method: "file", file: path() });
    const result = await run("file", config, fileGroupsStage);
    expect(result).toEqual({
      ...{ method: "weights of given.safetensors", found: true, unusedRows: 1 },
      sizes: [0.75 * (IMAGES - 1), 0.25 * (IMAGES - 1) + 1],
    });
    const groups = loadGroups(join(root, "file", "groups-file"));
    expect(groups.ids).toEqual(ids);
    expect([...groups.weights.subarray(8, 12)]).toEqual([0.75, 0.25, 0, 1]);
    // Another content of the same file is another result.
    write(ids);
    await expect(run("file", config, fileGroupsStage)).rejects.toThrow(/files: its contents changed|files: /);
    expect(await run("file", config, fileGroupsStage, { force: true })).toMatchObject({ unusedRows: 0 });
  });

  it("says which images have no row", async () => {
    write(ids.slice(2));
    const stopped = run("missing", configOf({ method: "file", file: path() }), fileGroupsStage);
    await expect(stopped).rejects.toThrow(DataError);
    await expect(stopped).rejects.toThrow(`no row for 2 of ${IMAGES} images: "${ids[0]}", "${ids[1]}".`);
  });

  it("takes a published grouper by the images' places among all, of which some are drawn", async () => {
    const grouper = join(root, "weights_t.pkl");
    const square = { size: py.tuple(py.int(2), py.int(2)), stride: py.tuple(py.int(2), py.int(1)) };
    // Rows [1, 2] and [3, 4]; every third image has the second.
    writeFileSync(grouper, py.zip(py.torchEntries(py.pickle(py.tensor(square)))));
    const index = join(root, "index2index.pkl");
    const pairs = ids.flatMap((_, place) => [py.int(place), py.int(place % 3 === 0 ? 1 : 0)]);
    writeFileSync(index, py.pickle(py.dict(...pairs)));
    const config = configOf({ method: "file", file: grouper });
    const some = { ...config, data: { ...config.data, maxTrainSamples: 10 } };
    const result = await run("grouper", some, fileGroupsStage);
    const groups = loadGroups(join(root, "grouper", "groups-file"));
    expect(groups.ids).toHaveLength(10);
    groups.ids.forEach((id, i) =>
      expect(groups.weights[2 * i]).toBeCloseTo(ids.indexOf(id) % 3 === 0 ? 3 / 7 : 1 / 3, 6),
    );
    expect(result).toMatchObject({ method: "weights of weights_t.pkl", found: true });
  });
});

describe("stage groups-column", () => {
  it("makes a group of each value of a column", async () => {
    const result = await run("column", configOf({ method: "column", column: "place" }), columnGroupsStage);
    const rows = readRows(join(images, "train"));
    const values = [...new Set(rows.map((row) => row["place"] as string))].sort();
    expect(result).toMatchObject({ method: "values of place", found: true, values });
    const groups = loadGroups(join(root, "column", "groups-column"));
    expect(groups).toMatchObject({ ids, count: 2, labels: values });
    rows.forEach((row, i) => expect(groups.weights[2 * i]).toBe(row["place"] === values[0] ? 1 : 0));
  });

  it("refuses a column of one value", async () => {
    writeRows(
      join(images, "train"),
      readRows(join(images, "train")).map((row) => ({ ...row, same: 1 })),
    );
    const stopped = run("same", configOf({ method: "column", column: "same" }), columnGroupsStage);
    await expect(stopped).rejects.toThrow(DataError);
    await expect(stopped).rejects.toThrow(/^Column "same" has one value/);
  });
});
