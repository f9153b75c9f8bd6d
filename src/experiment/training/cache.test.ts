// Training from the cache and without it: the same losses for the same seeds.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readJson, run, tinyConfig } from "../../../test/tiny-experiment.ts";

const SETTINGS = { train: 24, validation: 8, flip: true };
const only = ["data", "latents", "base"];

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "invdiff-cache-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function losses(name: string, data: Record<string, unknown>): Promise<number[]> {
  const config = tinyConfig({ data: { ...SETTINGS, ...data }, base: { steps: 6, batchSize: 8, warmup: 0 } });
  await run(config, join(root, name), { only });
  return readJson<number[]>(root, name, "base", "losses.json");
}

describe("six steps with mirrored images and drawn latents", () => {
  it("have the same losses from the cache and with every batch encoded anew", async () => {
    const [cached, online] = [await losses("cached", {}), await losses("online", { cache: false })];
    expect(existsSync(join(root, "cached", "cache"))).toBe(true);
    expect(existsSync(join(root, "online", "cache"))).toBe(false);
    expect(cached).toHaveLength(6);
    // The issue asks for 1e-5; pieces of one size through the encoders make it exact.
    expect(online).toEqual(cached);
  }, 60_000);

  it("differ with random crops, which the cache cannot serve", async () => {
    const cropped = await losses("cropped", { crop: "random", resolution: 48 });
    expect(existsSync(join(root, "cropped", "cache"))).toBe(false);
    expect(cropped.every(Number.isFinite)).toBe(true);
  }, 60_000);
});
