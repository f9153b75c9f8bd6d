// A save that dies at any moment: the folder loads as the old model, as the new one, or not at all.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { CheckpointError, scope, tensor } from "../torch/index.ts";
import { readWeights, writeWeights } from "./index.ts";

/** Changes of the folder that still succeed; the one after them and all later ones fail, as for a process that died. */
let left = Infinity;

vi.mock("node:fs", async (importOriginal) => {
  const fs = await importOriginal<typeof import("node:fs")>();
  const dying =
    <A extends unknown[], R>(change: (...args: A) => R) =>
    (...args: A): R => {
      if (left-- <= 0) throw new Error("died");
      return change(...args);
    };
  return { ...fs, renameSync: dying(fs.renameSync), rmSync: dying(fs.rmSync), openSync: dying(fs.openSync) };
});

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "crash-"))));
afterEach(() => {
  left = Infinity;
  rmSync(folder, { recursive: true });
});

const KEYS = 6;
const save = (base: "model" | "diffusion_pytorch_model", value: number, shards: number) =>
  scope(() => {
    const tensors = new Map(Array.from({ length: KEYS }, (_, i) => [`k${i}`, tensor([value])]));
    return writeWeights(folder, base, tensors, { maxShardBytes: Math.ceil(KEYS / shards) * 4 });
  });

/** The values of all tensors, or "none" when the folder is refused as holding no model. */
function loaded(): number[] | "none" {
  try {
    return scope(() => [...readWeights(folder).values()].map((value) => value.item()));
  } catch (error) {
    expect(error).toBeInstanceOf(CheckpointError);
    return "none";
  }
}

const all = (value: number) => Array.from({ length: KEYS }, () => value);

it.each([
  ["diffusion_pytorch_model", 1, 1],
  ["diffusion_pytorch_model", 1, 3],
  ["diffusion_pytorch_model", 3, 1],
  ["diffusion_pytorch_model", 3, 3],
  ["diffusion_pytorch_model", 3, 2],
  ["model", 1, 3],
  ["model", 3, 1],
  ["model", 3, 3],
] as const)("%s, %d files over %d files", (base, before, after) => {
  const seen = new Set<string>();
  for (let steps = 0; ; steps++) {
    expect(steps).toBeLessThan(100);
    left = Infinity;
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    save(base, 1, before);
    left = steps;
    let died = false;
    try {
      save(base, 2, after);
    } catch {
      died = true;
    }
    left = Infinity;
    const found = loaded();
    expect([all(1), all(2), "none"]).toContainEqual(found);
    seen.add(String(found));
    if (died) {
      // Whatever is left over, the same save succeeds afterwards, and only its own files load.
      save(base, 3, after);
      expect(loaded()).toEqual(all(3));
      continue;
    }
    expect(found).toEqual(all(2));
    break;
  }
  expect(seen.has(String(all(1)))).toBe(true);
  // Only shards that take the names of old ones make the folder unusable for a moment.
  expect(seen.has("none")).toBe(before === 3 && after === 3);
  expect(readdirSync(folder).filter((name) => name.includes(".tmp-"))).toEqual([]);
});
