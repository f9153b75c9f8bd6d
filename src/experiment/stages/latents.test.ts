// The stage that says which images there are, and how later stages come to them.
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { settledTensorCount } from "../../../test/settled.ts";
import { birdFolder, readRows, writeRows } from "../../../test/tiny-experiment.ts";
import { firstCaptions, type TrainingSet } from "../../data/index.ts";
import { CheckpointError, DataError, tensorCount } from "../../torch/index.ts";
import { type ExperimentConfig, parseConfig } from "../config.ts";
import { runExperiment } from "../experiment.ts";
import type { RunResult } from "../runner.ts";
import { planStages } from "../stage-plan.ts";
import { dataStage } from "./data.ts";
import { readItems } from "./items-file.ts";
import { latentsStage, openFolderSet, openLatentsStage } from "./latents.ts";

let root: string;
let out: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "latents-"));
  out = join(root, "out");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const birds = (data: Record<string, unknown> = {}): ExperimentConfig =>
  parseConfig({ threads: 1, data: { train: 20, validation: 8, ...data } });

const stagesOf = (config: ExperimentConfig) => [
  ...(config.data.kind === "birds" ? [dataStage] : []),
  latentsStage(config),
];

const run = (
  config: ExperimentConfig,
  onProgress?: (task: string) => void,
  onNote?: (text: string) => void,
): Promise<RunResult> =>
  runExperiment(config, {
    ...{ out, stages: stagesOf(config), force: true },
    ...(onNote && { onNote }),
    onProgress: ({ stage, task, unit }) => stage === "latents" && onProgress?.(`${task} (${unit})`),
  });

async function momentsOf(set: TrainingSet): Promise<number[]> {
  const rows = Int32Array.from(set.ids, (_, i) => i);
  const { moments, encoderHiddenStates } = await set.load({ rows, captions: firstCaptions(set) });
  const values = moments.toNumbers();
  moments.dispose();
  encoderHiddenStates.dispose();
  return values;
}

describe("stage latents", () => {
  it("encodes into the cache beside the stages, which later stages open without encoding", async () => {
    const config = birds();
    const tasks = new Set<string>();
    const notes: string[] = [];
    const { manifests } = await run(
      config,
      (task) => tasks.add(task),
      (note) => notes.push(note),
    );
    expect(manifests["latents"]!.result).toMatchObject({
      ...{ images: 20, captions: 2, cached: true, encodedImages: 20, encodedCaptions: 3, damaged: [] },
    });
    expect([...tasks]).toEqual([
      "looking at images (images)",
      "encoding captions (captions)",
      "encoding images (images)",
    ]);
    expect(notes).toEqual([
      expect.stringMatching(/^Cache: 20 pictures and 3 captions to encode, \d+ kB to write \(.* free\)\.$/),
    ]);
    expect(readdirSync(join(out, "latents")).sort()).toEqual(["items.json", "manifest.json"]);
    const before = settledTensorCount();
    {
      using set = await openLatentsStage(join(out, "latents"), config);
      expect(set.work).toMatchObject({ encodedImages: 0, encodedCaptions: 0 });
      const rows = readRows(join(out, "data", "birds", "train"));
      expect(set.ids).toEqual(rows.map((row) => row["file_name"]));
      expect(Array.from(firstCaptions(set), (i) => set.captions[i])).toEqual(rows.map((row) => row["text"]));
      expect(readItems(join(out, "latents"))).toEqual({
        ids: set.ids,
        captions: set.captions,
        captionsOf: set.captionsOf,
      });
    }
    expect(tensorCount()).toBe(before);
  });

  it("gives the same moments with a cache, after its loss, and without one", async () => {
    const config = birds();
    await run(config);
    const dir = join(out, "latents");
    using cached = await openLatentsStage(dir, config);
    const moments = await momentsOf(cached);
    // The experiment may be moved.
    renameSync(out, join(root, "moved"));
    rmSync(join(root, "moved", "cache"), { recursive: true });
    using again = await openLatentsStage(join(root, "moved", "latents"), config);
    expect(again.work.encodedImages).toBe(20);
    expect(await momentsOf(again)).toEqual(moments);
    using online = await openLatentsStage(join(root, "moved", "latents"), birds({ cache: false }));
    expect(await momentsOf(online)).toEqual(moments);
  });

  it.each([{ cache: false }, { crop: "random" }])("only lists the images with %o", async (data) => {
    const config = birds(data);
    const { manifests } = await run(config);
    expect(manifests["latents"]!.result).toEqual({ images: 20, captions: 2, cached: false });
    expect(existsSync(join(out, "cache"))).toBe(false);
    using set = await openLatentsStage(join(out, "latents"), config);
    expect(await momentsOf(set)).toHaveLength(20 * 8 * 8 * 8);
    expect(existsSync(join(out, "cache"))).toBe(false);
  });

  it("shares the cache with other settings, stages and experiments", async () => {
    const cacheFolder = join(root, "shared");
    await run(birds({ cacheFolder }));
    const { manifests } = await run(birds({ cacheFolder, flip: true }));
    expect(manifests["latents"]!.result).toMatchObject({ encodedImages: 20, encodedCaptions: 0 });
    out = join(root, "other");
    const other = await run(birds({ cacheFolder, maxTrainSamples: 12 }));
    expect(other.manifests["latents"]!.result).toMatchObject({ images: 12, encodedImages: 0 });
    const folder = { path: join(out, "data", "birds"), split: "validation" };
    using set = await openFolderSet(folder, birds({ cacheFolder, flip: true }), { out });
    expect(set.ids).toHaveLength(8);
    expect(set.work).toMatchObject({ encodedImages: 8, encodedCaptions: 0 });
  });

  it("is made anew for other pictures, captions, sizes, crops and mirror images, not for the cache's place", async () => {
    const images = join(root, "images");
    const rows = await birdFolder(images, 16);
    const train = join(images, "train");
    const keyOf = async (data: Record<string, unknown> = {}) => {
      const config = parseConfig({ data: { kind: "folder", path: images, ...data } });
      const [planned] = await planStages(stagesOf(config), config, join(root, "none"));
      return planned!.key;
    };
    const key = await keyOf();
    for (const data of [{ cache: false }, { cacheFolder: join(root, "there") }, { maxTrainSamples: 99 }])
      expect(await keyOf(data)).toBe(key);
    for (const data of [{ resolution: 32 }, { crop: "random" }, { flip: true }, { maxTrainSamples: 5 }])
      expect(await keyOf(data)).not.toBe(key);
    writeRows(train, [{ ...rows[0], text: [rows[0]!["text"], "another"] }, ...rows.slice(1)]);
    expect(await keyOf()).not.toBe(key);
    writeRows(train, rows);
    expect(await keyOf()).toBe(key);
    copyFileSync(join(train, rows[1]!["file_name"] as string), join(train, rows[0]!["file_name"] as string));
    expect(await keyOf()).not.toBe(key);
  });

  it("notices pictures that changed after it ran, and a folder of another format", async () => {
    const images = join(root, "images");
    const rows = await birdFolder(images, 16);
    const config = parseConfig({ data: { kind: "folder", path: images, cache: false } });
    await run(config);
    using set = await openLatentsStage(join(out, "latents"), config);
    const train = join(images, "train");
    copyFileSync(join(train, rows[1]!["file_name"] as string), join(train, rows[0]!["file_name"] as string));
    await expect(momentsOf(set)).rejects.toThrow(DataError);
    await expect(momentsOf(set)).rejects.toThrow(/has changed since the images were looked at/);
    writeFileSync(join(out, "latents", "items.json"), JSON.stringify({ ids: ["a"], captions: ["", "x"] }));
    await expect(openLatentsStage(join(out, "latents"), config)).rejects.toThrow(CheckpointError);
    expect(() => readItems(join(out, "latents"))).toThrow(
      /holds ids, captions; expected ids, captions, captionsOf/,
    );
  });
});
