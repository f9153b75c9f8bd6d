import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { differingFiles, filesBelow, run, tinyConfig } from "../../test/tiny-experiment.ts";
import { type Call, finetune, inferGroups, train } from "./calls.ts";
import type { Progress } from "./stage.ts";

const config = tinyConfig({ base: { checkpointEvery: 100 } });
let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "invdiff-calls-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** All reports and the result of a call. */
async function drain(call: Call) {
  const reports: Progress[] = [];
  for (let next = await call.next(); ; next = await call.next()) {
    if (next.done) return { reports, result: next.value };
    reports.push(next.value);
  }
}

describe("library calls", () => {
  it("yield the progress of their stages and give the manifests", async () => {
    const out = join(root, "calls");
    const first = await drain(finetune(config, { out }));
    expect(Object.keys(first.result.manifests)).toEqual(["data", "latents", "base"]);
    const training = first.reports.filter(({ task }) => task === "training");
    expect(training.at(-1)).toMatchObject({ stage: "base", done: 12, total: 12, images: 16 });
    expect(training.length).toBeGreaterThan(6);
    expect(training.every(({ values }) => Number.isFinite(values!["loss"]))).toBe(true);
    expect((await drain(inferGroups(config, { out }))).result.manifests["groups"]!.result).toMatchObject({
      found: true,
    });
    const last = await drain(train(config, { out }));
    expect(last.result.manifests["guidance"]!.result).toMatchObject({ trained: true, steps: 6 });
  }, 60_000);

  it("stop and save when the loop is left, and go on to the same result", async () => {
    const out = join(root, "left");
    for await (const { stage, done } of finetune(config, { out })) if (stage === "base" && done === 5) break;
    const { events } = await run(config, out, { only: ["data", "latents", "base"] });
    expect(events).toContain("base resumed");
    const weights = (name: string) => filesBelow(join(root, name, "base"), ".safetensors");
    const whole = join(root, "whole");
    await drain(finetune(config, { out: whole }));
    expect(weights("left").size).toBe(1);
    expect(differingFiles(weights("left"), weights("whole"))).toEqual([]);
  }, 60_000);

  it("throw what the work throws", async () => {
    await expect(drain(train(config, { out: join(root, "nothing") }))).rejects.toThrow(
      /Stage guidance needs .* not finished in this folder/,
    );
  });
});
