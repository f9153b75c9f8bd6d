import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import { CheckpointError, scope, type Tensor, tensor, tensorCount } from "../torch/index.ts";
import { readWeights, writeSafetensors } from "./index.ts";

const INDEX = "model.safetensors.index.json";
let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "shards-"))));
afterEach(() => rmSync(folder, { recursive: true }));

function write(shards: Record<string, Record<string, number[]>>, weightMap: Record<string, string>): void {
  scope(() => {
    for (const [name, tensors] of Object.entries(shards)) {
      const values = Object.entries(tensors).map(([key, value]) => [key, tensor(value)] as const);
      writeSafetensors(join(folder, name), Object.fromEntries(values));
    }
  });
  writeFileSync(join(folder, INDEX), JSON.stringify({ metadata: {}, weight_map: weightMap }));
}

const values = (tensors: ReadonlyMap<string, Tensor>) =>
  Object.fromEntries([...tensors].map(([key, value]) => [key, value.toNumbers()]));

const [A, B] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] as const;

describe("sharded weights", () => {
  it("are one state dict in the index's order", () => {
    write({ [A]: { a: [1], c: [3, 3] }, [B]: { b: [2] } }, { b: B, a: A, c: A });
    const tensors = readWeights(folder);
    expect([...tensors.keys()]).toEqual(["b", "a", "c"]);
    expect(values(tensors)).toEqual({ a: [1], b: [2], c: [3, 3] });
    expect(values(readWeights(join(folder, INDEX)))).toEqual(values(tensors));
  });

  it("name every shard that is missing", () => {
    write({ [A]: { a: [1] } }, { a: A, b: B, c: "third.safetensors" });
    expect(() => readWeights(folder)).toThrow(
      new RegExp(`${INDEX} names 3 shards, of which 2 are missing: ${B}, third.safetensors\\.`),
    );
  });

  it("list every key that is not where the index says, and leave nothing mapped", () => {
    write({ [A]: { a: [1], extra: [9] }, [B]: { b: [2], a: [5] } }, { a: A, b: B, gone: B, away: A });
    const count = settledTensorCount();
    expect(() => readWeights(folder)).toThrow(CheckpointError);
    expect(() => readWeights(folder)).toThrow(
      new RegExp(
        `does not fit its shards[^]*2 keys that their shard does not hold:\\n  gone \\(${B}\\)\\n  away \\(${A}\\)\\n` +
          `1 keys that two shards hold:\\n  a \\(${B}\\)\\n1 keys that a shard holds and the index does not know:\\n  extra \\(${A}\\)\\n`,
      ),
    );
    expect(tensorCount()).toBe(count);
  });

  it("count what is too long to list", () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`k${i}`, A]));
    write({ [A]: { a: [1] } }, { a: A, ...many });
    expect(() => readWeights(folder)).toThrow(/30 keys that their shard[^]*k19 [^]*and 10 more/);
  });

  it("of broken files name the file, and leave nothing mapped", () => {
    write({ [A]: { a: [1] } }, { a: A, b: B });
    writeFileSync(join(folder, B), "no tensors here");
    const count = settledTensorCount();
    expect(() => readWeights(folder)).toThrow(new RegExp(`${B} is not a usable safetensors file`));
    expect(tensorCount()).toBe(count);
  });
});

describe("a single file of weights", () => {
  it("that git has left as a pointer says how to fetch it", () => {
    writeFileSync(
      join(folder, "model.safetensors"),
      "version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
    );
    expect(() => readWeights(folder)).toThrow(/model.safetensors is a Git LFS pointer.*git lfs pull/);
  });

  it("of another kind is refused by its ending", () => {
    writeFileSync(join(folder, "model.gguf"), "");
    expect(() => readWeights(join(folder, "model.gguf"))).toThrow(
      /model.gguf is no file of weights; expected .safetensors/,
    );
  });
});
