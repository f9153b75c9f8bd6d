import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { countingNetwork, meansOf, picturesOf } from "../../../test/evaluation-parts.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { encodePng } from "../../data/index.ts";
import { DataError, tensor, type Tensor, tensorCount } from "../../torch/index.ts";
import { FeatureTables } from "./feature-tables.ts";
import { featuresOf } from "./features.ts";
import { fileImages, tensorImages } from "./image-set.ts";

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "features-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
function expectSame(table: Tensor, images: Tensor): void {
  using expected = meansOf(images);
  expect(table.toNumbers()).toEqual(expected.toNumbers());
}

describe("featuresOf", () => {
  it("looks at every picture once, in all calls together, and gives its row", async () => {
    using images = picturesOf([3, 1, 2, 5, 4, 9, 8]);
    const before = settledTensorCount();
    const network = countingNetwork();
    const steps: [number, number][] = [];
    const set = tensorImages(images);
    const options = { folder, batchSize: 3, onProgress: (...step: [number, number]) => steps.push(step) };
    {
      using table = await featuresOf(network, set, options);
      expectSame(table, images);
      expect([...table.shape, table.dtype, table.device]).toEqual([7, 4, "float32", "cpu"]);
    }
    expect(network.calls).toEqual([3, 3, 1]);
    expect(steps[0]).toEqual([0, 7]);
    expect(steps.at(-1)).toEqual([7, 7]);
    // Later, in another order, with more pictures: only the new one is looked at.
    using more = picturesOf([3, 1, 2, 5, 4, 9, 8, 7]);
    using turned = more.flip([0]);
    {
      using table = await featuresOf(network, tensorImages(turned), options);
      expectSame(table, turned);
    }
    expect(network.calls).toEqual([3, 3, 1, 1]);
    expect(tensorCount()).toBe(before + 2); // `more` and `turned`
  });

  it("looks at equal pictures once", async () => {
    using images = picturesOf([3, 1]);
    using many = images.indexSelect(0, tensor(Int32Array.of(0, 1, 0, 0, 1), { dtype: "int64" }));
    const network = countingNetwork();
    using table = await featuresOf(network, tensorImages(many), { folder, batchSize: 2 });
    expectSame(table, many);
    expect(sum(network.calls)).toBe(2);
  });

  it("keeps each network's features apart, with its name beside them", async () => {
    using images = picturesOf([1, 2]);
    const [first, second] = [countingNetwork("one"), countingNetwork("two")];
    for (const network of [first, second])
      (await featuresOf(network, tensorImages(images), { folder })).dispose();
    expect([sum(first.calls), sum(second.calls)]).toEqual([2, 2]);
    const names = readdirSync(folder).map(
      (name) => JSON.parse(readFileSync(join(folder, name, "about.json"), "utf8")) as unknown,
    );
    expect(names).toHaveLength(2);
    expect(names).toContainEqual({ network: "two", key: second.key });
  });

  it("keeps what was made before it was stopped, and makes the rest only", async () => {
    using images = picturesOf([1, 2, 3, 4, 5, 6, 7]);
    const before = settledTensorCount();
    const controller = new AbortController();
    const network = countingNetwork("stopped", (call) => {
      if (call === 2) controller.abort(new Error("Ctrl-C"));
    });
    const set = tensorImages(images);
    const options = { folder, batchSize: 2 };
    const { signal } = controller;
    await expect(featuresOf(network, set, { ...options, signal })).rejects.toThrow("Ctrl-C");
    expect(network.calls).toEqual([2, 2]);
    expect(settledTensorCount()).toBe(before);
    using table = await featuresOf(network, set, options);
    expectSame(table, images);
    expect(network.calls).toEqual([2, 2, 2, 1]);
  });

  it("does nothing when it is stopped before it begins", async () => {
    using images = picturesOf([1, 2]);
    const network = countingNetwork();
    const signal = AbortSignal.abort(new Error("too late"));
    await expect(featuresOf(network, tensorImages(images), { folder, signal })).rejects.toThrow("too late");
    expect(network.calls).toEqual([]);
  });

  it("names a broken picture, keeps what came before it, and leaks nothing", async () => {
    using images = picturesOf([1, 2, 3], { size: 16 });
    const files: string[] = [];
    for (let i = 0; i < 3; i++) {
      using picture = images.select(0, i);
      files.push(join(folder, `${i}.png`));
      writeFileSync(files[i]!, await encodePng(picture));
    }
    writeFileSync(files[2]!, readFileSync(files[2]!).subarray(0, 60));
    const network = countingNetwork();
    const options = { folder: join(folder, "kept"), batchSize: 1 };
    const before = settledTensorCount();
    const broken = await fileImages(files, 16);
    await expect(featuresOf(network, broken, options)).rejects.toThrow(DataError);
    await expect(featuresOf(network, broken, options)).rejects.toThrow(/2\.png cannot be read as an image/);
    expect(network.calls).toEqual([1, 1]);
    expect(settledTensorCount()).toBe(before);
    using table = await featuresOf(network, await fileImages(files.slice(0, 2), 16), options);
    using whole = images.slice(0, 0, 2);
    expectSame(table, whole);
    expect(network.calls).toEqual([1, 1]);
  });

  it("makes damaged features again", async () => {
    using images = picturesOf([1, 2, 3]);
    const network = countingNetwork();
    (await featuresOf(network, tensorImages(images), { folder })).dispose();
    const own = join(folder, network.key.slice(0, 32));
    const shard = join(
      own,
      readdirSync(own).find((name) => name.endsWith(".safetensors"))!,
    );
    const bytes = readFileSync(shard);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(shard, bytes);
    using table = await featuresOf(network, tensorImages(images), { folder });
    expectSame(table, images);
    expect(sum(network.calls)).toBe(6);
  });
});

describe("FeatureTables", () => {
  it("gives one table for a set and a network, and releases all of them", async () => {
    using first = picturesOf([1, 2, 3]);
    using second = picturesOf([1, 2, 3], { seed: 1 });
    const before = settledTensorCount();
    const network = countingNetwork();
    const told: string[] = [];
    {
      using tables = new FeatureTables({ folder, progress: ({ task }) => told.push(task) });
      const named = (label: string, images: Tensor) => ({ label, images: tensorImages(images) });
      const [a, b] = [named("the base", first), named("the guided", second)];
      const [tableA, tableB] = await tables.all(network, [a, b]);
      expectSame(tableA!, first);
      expectSame(tableB!, second);
      // Another label, the same set.
      expect(await tables.of(network, { ...a, label: "again" })).toBe(tableA);
      // Another set of the same pictures has a table of its own, read from the folder.
      const again = await tables.of(network, named("copy", first));
      expect(again).not.toBe(tableA);
      expectSame(again, first);
      expect(sum(network.calls)).toBe(6);
      expect([...new Set(told)]).toEqual(["looking at the base: means", "looking at the guided: means"]);
      expect(tensorCount()).toBe(before + 3);
    }
    expect(tensorCount()).toBe(before);
    expect(existsSync(folder)).toBe(true);
  });
});
