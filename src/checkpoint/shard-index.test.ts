import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CheckpointError } from "../torch/index.ts";
import { readShardIndex } from "./index.ts";

let path: string;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "index-"));
  path = join(folder, "model.safetensors.index.json");
});
afterAll(() => rmSync(folder, { recursive: true }));

const write = (content: unknown) =>
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));

describe("an index of shards", () => {
  it("gives each tensor its file", () => {
    write({
      metadata: { total_size: 12 },
      weight_map: { b: "2.safetensors", a: "1.safetensors", c: "2.safetensors" },
    });
    const { weightMap, shards, totalSize } = readShardIndex(path);
    expect([...weightMap]).toEqual([
      ["b", "2.safetensors"],
      ["a", "1.safetensors"],
      ["c", "2.safetensors"],
    ]);
    expect(shards).toEqual(["1.safetensors", "2.safetensors"]);
    expect(totalSize).toBe(12);
    write({ weight_map: { a: "1.safetensors" } });
    expect(readShardIndex(path).totalSize).toBeUndefined();
  });

  it.each([
    ["../other.safetensors"],
    ["sub/1.safetensors"],
    ["/1.safetensors"],
    ["C:1.safetensors"],
    ["..\\1.safetensors"],
    [".."],
    ["."],
    [""],
    ["1.safetensors\0.txt"],
    [7],
    [null],
    [["1.safetensors"]],
  ])("does not lead out of its folder: %j", (shard) => {
    write({ weight_map: { ok: "1.safetensors", "conv.weight": shard } });
    expect(() => readShardIndex(path)).toThrow(CheckpointError);
    expect(() => readShardIndex(path)).toThrow(
      /index.json is not a usable index of shards: weight_map puts "conv.weight" into .*; expected the plain name/,
    );
  });

  it.each([
    ["{", /index.json is not valid JSON/],
    ["[]", /holds a list; expected a JSON object/],
    [{}, /weight_map is undefined; expected tensor names with file names/],
    [{ weight_map: [] }, /weight_map is \[\]/],
    [{ weight_map: {} }, /weight_map names no tensor/],
    [{ weight_map: { a: "1.safetensors" }, metadata: 3 }, /metadata is 3; expected an object/],
    [
      { weight_map: { a: "1" }, metadata: { total_size: "12" } },
      /total_size is "12"; expected a number of bytes/,
    ],
    [{ weight_map: { a: "1" }, metadata: { total_size: -1 } }, /total_size is -1/],
    ['{"weight_map": {"a": "1", "b": "1", "a": "2"}}', /holds the key "a" twice/],
  ])("%j is refused", (content, message) => {
    write(content);
    expect(() => readShardIndex(path)).toThrow(CheckpointError);
    expect(() => readShardIndex(path)).toThrow(message);
  });

  it("comes back as it was written, whatever the names", () => {
    const shard = fc.stringMatching(/^[a-z0-9_-]{1,12}\.safetensors$/);
    const map = fc.dictionary(fc.string({ minLength: 1, maxLength: 20 }), shard, {
      minKeys: 1,
      noNullPrototype: true,
    });
    fc.assert(
      fc.property(map, fc.nat(), (weight_map, total_size) => {
        write({ metadata: { total_size }, weight_map });
        const index = readShardIndex(path);
        expect(Object.fromEntries(index.weightMap)).toEqual(weight_map);
        expect(index.shards).toEqual([...new Set(Object.values(weight_map))].sort());
        expect(index.totalSize).toBe(total_size);
      }),
      { seed: 11, numRuns: 200 },
    );
  });

  it("of any JSON is read or refused with the file's name, never anything else", () => {
    const part = fc.option(fc.jsonValue(), { nil: undefined });
    const any = fc.oneof(
      fc.jsonValue(),
      fc.record({ weight_map: part, metadata: part }),
      fc.record({ weight_map: fc.dictionary(fc.string(), fc.jsonValue()) }),
    );
    fc.assert(
      fc.property(any, (content) => {
        write(content);
        try {
          for (const name of readShardIndex(path).shards)
            expect(join(folder, name)).toBe(`${folder}/${name}`);
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
          expect((error as Error).message).toContain(path);
        }
      }),
      { seed: 13, numRuns: 300 },
    );
  });
});
