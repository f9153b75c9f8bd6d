import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { STORED_DTYPES } from "../../test/tensors.ts";
import { settledTensorBytes, settledTensorCount } from "../../test/settled.ts";
import { golden } from "../../test/golden-dir.ts";
import { CheckpointError, ConfigError, scope, type Tensor, tensor, tensorBytes } from "../torch/index.ts";
import { tensorCount, zeros } from "../torch/index.ts";
import { readShardIndex, readWeights, writeWeights } from "./index.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "save-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const BASE = "diffusion_pytorch_model";
const values = (tensors: ReadonlyMap<string, Tensor>) =>
  Object.fromEntries(
    [...tensors].map(([key, value]) => [key, [value.dtype, value.shape, value.toNumbers()]]),
  );
const files = () => readdirSync(folder).sort();

const everyDType = () =>
  new Map(
    STORED_DTYPES.map((dtype, i) => [
      `t.${dtype}`,
      tensor(dtype === "bool" ? [0, 1, 1] : [i, 2, 3], { dtype }),
    ]),
  );

describe("what is written", () => {
  it.each([
    ["one file", undefined],
    ["a shard per tensor", 1],
    ["shards of a few tensors", 30],
  ])("as %s is read back equal, in all dtypes", (_name, maxShardBytes) => {
    const tensors = everyDType();
    writeWeights(folder, "model", tensors, { maxShardBytes });
    expect(values(readWeights(folder))).toEqual(values(tensors));
  });

  it("bears the names that diffusers gives", () => {
    const tensors = new Map(["a", "b", "c"].map((key) => [key, tensor([1, 2])]));
    expect(writeWeights(folder, BASE, tensors)).toEqual([`${BASE}.safetensors`]);
    const names = [1, 2, 3].map((i) => `${BASE}.fp16-0000${i}-of-00003.safetensors`);
    const options = { maxShardBytes: 4, variant: "fp16", dtype: "float16" } as const;
    expect(writeWeights(folder, BASE, tensors, options)).toEqual([
      ...names,
      `${BASE}.safetensors.index.fp16.json`,
    ]);
    expect(files()).toEqual([...names, `${BASE}.safetensors`, `${BASE}.safetensors.index.fp16.json`].sort());
    const index = readShardIndex(join(folder, `${BASE}.safetensors.index.fp16.json`));
    expect(index.totalSize).toBe(12);
    expect(Object.fromEntries(index.weightMap)).toEqual({ a: names[0], b: names[1], c: names[2] });
    expect(values(readWeights(folder, { variant: "fp16" }))["a"]).toEqual(["float16", [2], [1, 2]]);
  });

  it.each(["float32", "float16", "bfloat16"] as const)(
    "is converted to %s, but for whole numbers",
    (dtype) => {
      const tensors = everyDType();
      writeWeights(folder, "model", tensors, { dtype, maxShardBytes: 16 });
      const expected = new Map(
        [...tensors].map(([key, value]) => [key, /float/.test(key) ? value.to(dtype) : value]),
      );
      expect(values(readWeights(folder))).toEqual(values(expected));
    },
  );

  it("keeps the data of Python's file byte by byte, split into shards", () => {
    const tensors = readWeights(golden("tiny-sd2/unet"));
    writeWeights(folder, BASE, tensors, { maxShardBytes: 300_000 });
    expect(files().length).toBeGreaterThan(3);
    const hash = (given: ReadonlyMap<string, Tensor>) => {
      const digest = createHash("sha256");
      for (const key of [...given.keys()].sort()) given.get(key)!.withBytes((bytes) => digest.update(bytes));
      return digest.digest("hex");
    };
    expect(hash(readWeights(folder))).toBe(hash(tensors));
    for (const name of files().filter((file) => file.endsWith(".safetensors")))
      expect(statSync(join(folder, name)).size).toBeLessThan(300_000 + 20_000);
  });

  it("costs the memory of a piece, and leaves no tensor behind", () => {
    const tensors = new Map(Array.from({ length: 8 }, (_, i) => [`t${i}`, zeros([1000])]));
    const [count, bytes] = [settledTensorCount(), settledTensorBytes()];
    writeWeights(folder, "model", tensors, { dtype: "float16", maxShardBytes: 5000 });
    expect([tensorCount(), tensorBytes()]).toEqual([count, bytes]);
  });
});

describe("a second save", () => {
  const model = (value: number, keys = 6) =>
    new Map(Array.from({ length: keys }, (_, i) => [`k${i}`, tensor([value])]));
  const save = (value: number, shards: number, more: object = {}) =>
    scope(() =>
      writeWeights(folder, BASE, model(value), { maxShardBytes: Math.ceil(6 / shards) * 4, ...more }),
    );
  const loaded = (variant?: string) => [
    ...new Set([...readWeights(folder, { variant }).values()].map((value) => value.item())),
  ];

  it.each([
    [1, 3],
    [3, 1],
    [3, 3],
    [3, 2],
    [2, 6],
    [1, 1],
  ])("over %d files, of %d itself, leaves only its own files", (before, after) => {
    save(1, after);
    const own = files();
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    save(2, before);
    save(1, after);
    expect(files()).toEqual(own);
    expect(loaded()).toEqual([1]);
  });

  it("leaves other variants, pickles and foreign files alone", () => {
    save(1, 3, { variant: "fp16" });
    const others = ["diffusion_pytorch_model.bin", "optimizer.bin", "notes-00001-of-00002.safetensors"];
    for (const name of others) writeFileSync(join(folder, name), name);
    save(2, 3);
    save(3, 1);
    expect(loaded("fp16")).toEqual([1]);
    expect(loaded()).toEqual([3]);
    for (const name of others) expect(readFileSync(join(folder, name), "utf8")).toBe(name);
  });

  it("over shards of a variant under their old names replaces those", () => {
    writeFileSync(join(folder, `${BASE}-00001-of-00002.fp16.safetensors`), "");
    writeFileSync(join(folder, `${BASE}.safetensors.fp16.index.json`), "{}");
    save(4, 1, { variant: "fp16" });
    expect(files()).toEqual([`${BASE}.fp16.safetensors`]);
  });

  it("does not replace a folder that bears the name, and writes nothing then", () => {
    mkdirSync(join(folder, `${BASE}-00002-of-00003.safetensors`));
    expect(() => save(1, 3)).toThrow(CheckpointError);
    expect(() => save(1, 3)).toThrow(/00002-of-00003.safetensors is a folder/);
    expect(files()).toEqual([`${BASE}-00002-of-00003.safetensors`]);
  });

  it("with wrong options is refused by name", () => {
    expect(() => save(1, 1, { maxShardBytes: 0 })).toThrow(ConfigError);
    expect(() => save(1, 1, { maxShardBytes: NaN })).toThrow(/maxShardBytes is NaN/);
    expect(() => save(1, 1, { variant: "a/b" })).toThrow(/variant "a\/b"/);
    expect(files()).toEqual([]);
  });
});
