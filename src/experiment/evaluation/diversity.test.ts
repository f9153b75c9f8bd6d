import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { modelOf, picturesOf } from "../../../test/evaluation-parts.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { diversityEstimate, Lpips } from "../../metrics/index.ts";
import { LpipsVgg } from "../../models/index.ts";
import { scope, tensor, tensorCount, upsampleBilinear2dAa } from "../../torch/index.ts";
import { chosenImages, diversityRow, featureDistances, lpipsDistances } from "./diversity.ts";

const options = { resamples: 100, seed: 1 };

describe("chosenImages", () => {
  it("takes the first images of each prompt, and no prompt without a pair", () => {
    expect(chosenImages(modelOf("a", [0, 0, 0, 1, 2, 2]), 4, 2)).toEqual([
      [0, 1],
      [4, 5],
    ]);
    expect(chosenImages(modelOf("a", [0, 1]), 2, 32)).toEqual([]);
  });
});

describe("featureDistances", () => {
  it("are Euclidean distances by the root of the dimensions, pair by pair", () => {
    using table = tensor(Float32Array.of(0, 0, 3, 4, 0, 4, 9, 9), { shape: [4, 2] });
    const before = settledTensorCount();
    const found = featureDistances(
      [table],
      [
        [
          [0, 1, 2],
          [3, 0],
        ],
      ],
    );
    expect(tensorCount()).toBe(before);
    const expected = [[5, 4, 3], [Math.hypot(9, 9)]].map((own) => own.map((length) => length / Math.SQRT2));
    expected.forEach((own, p) => {
      expect([...(found[0]![p] as Float64Array)].map((x) => +x.toFixed(12))).toEqual(
        own.map((x) => +x.toFixed(12)),
      );
    });
  });
});

describe("diversityRow", () => {
  it("is the mean over the pairs of a prompt, then over the prompts", () => {
    const distances = [[[1, 2, 3], [10]], []];
    const row = diversityRow({ key: "lpipsDiversity", label: "Diversity" }, distances, options);
    expect(row.values).toEqual([diversityEstimate([[1, 2, 3], [10]], options).overall, undefined]);
    expect(row.values[0]!.value).toBe(6);
    expect(row.better).toBe("higher");
    expect(row.comparisons).toBeUndefined();
  });
});

describe("lpipsDistances", () => {
  const small = () => new Lpips(LpipsVgg.seeded({ channels: [4, 4, 8, 8, 8] }, 5));
  const root = mkdtempSync(join(tmpdir(), "lpips-"));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const folder = (name: string) => join(root, name);

  it("are those of the network for the chosen images of every model", async () => {
    using network = small();
    using first = picturesOf([1, 2, 3, 4], { size: 24 });
    using second = picturesOf([1, 2, 3, 4], { size: 24, seed: 9 });
    const before = settledTensorCount();
    const models = [
      modelOf("a", [0, 0, 1, 1], { images: first }),
      modelOf("b", [0, 0, 1, 1], { images: second }),
    ];
    const chosen = models.map((model) => chosenImages(model, 2, 2));
    const told: string[] = [];
    const progress = ({ task, done, total }: { task: string; done: number; total: number }) =>
      told.push(`${task} ${done}/${total}`);
    const options = { folder: folder("first"), hash: "1" };
    let opened = 0;
    const open = () => (opened++, small());
    const found = await lpipsDistances(open, models, chosen, { ...options, progress });
    expect(tensorCount()).toBe(before);
    for (const [m, images] of [first, second].entries())
      for (const p of [0, 1]) {
        using pair = images.slice(0, 2 * p, 2 * p + 2);
        expect([...(found[m]![p] as Float32Array)]).toEqual([...network.pairDistances(pair)]);
      }
    expect(told).toEqual([1, 2, 3, 4].map((i) => `LPIPS of The ${i < 3 ? "a" : "b"} one ${i}/4`));
    // A second time they are read; of a damaged file, or by another network, they are made again.
    expect(await lpipsDistances(open, models, chosen, options)).toEqual(found);
    expect(opened).toBe(1);
    const kept = join(options.folder, "lpips");
    const files = readdirSync(kept);
    expect(files).toHaveLength(4);
    writeFileSync(join(kept, files[0]!), "[1, 2, 3]");
    expect(await lpipsDistances(open, models, chosen, options)).toEqual(found);
    expect(opened).toBe(2);
    await lpipsDistances(open, models, chosen, { ...options, hash: "2" });
    expect(opened).toBe(3);
    expect(tensorCount()).toBe(before);
  });

  it("look at large images in 256 pixels", async () => {
    using network = small();
    using images = picturesOf([1, 2], { size: 300 });
    const found = await lpipsDistances(small, [modelOf("a", [0, 0], { images })], [[[0, 1]]], {
      ...{ folder: folder("large"), hash: "1" },
    });
    const expected = scope(() => network.pairDistances(upsampleBilinear2dAa(images, [256, 256], false)));
    expect([...(found[0]![0] as Float32Array)]).toEqual([...expected]);
    expect(expected[0]).not.toBe(network.pairDistances(images)[0]);
  });

  it("stop when they are told to", async () => {
    using images = picturesOf([1, 2], { size: 24 });
    const signal = AbortSignal.abort(new Error("enough"));
    const before = settledTensorCount();
    const run = lpipsDistances(small, [modelOf("a", [0, 0], { images })], [[[0, 1]]], {
      ...{ folder: folder("stopped"), hash: "1", signal },
    });
    await expect(run).rejects.toThrow("enough");
    expect(tensorCount()).toBe(before);
  });
});
