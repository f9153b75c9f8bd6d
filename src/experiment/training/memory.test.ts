// Training holds no more after step 200 than after step 20, in either stage: tensors, their bytes, the process's memory.
import { describe, expect, it } from "vitest";
import { settledTensorBytes, settledTensorCount } from "../../../test/settled.ts";
import { trainingJob, type TrainingChanges } from "../../../test/training-job.ts";
import { trainStep } from "../../method/index.ts";
import { tensorCount } from "../../torch/index.ts";
import { makeTrainer } from "./loop.ts";

const MEGABYTE = 2 ** 20;

describe.each([
  ["base", {}],
  ["guidance", {}],
  ["base", { gradientCheckpointing: true }],
  ["guidance", { precision: "float16", snrGamma: undefined }],
] as ["base" | "guidance", TrainingChanges][])("%s with %o", (stage, changes) => {
  it("holds the same after 20 and after 200 steps", async () => {
    const before = settledTensorCount();
    {
      using job = trainingJob(stage, { ...changes, schedule: "constant_with_warmup" });
      using trainer = makeTrainer(job, 200);
      const held: { count: number; bytes: number }[] = [];
      const rss: number[] = [];
      const losses: number[] = [];
      for (let step = 0; step < 200; step++) {
        const { loss } = await trainStep(trainer, job.set, job.batches.next().value, step);
        losses.push(loss);
        if (step !== 19 && step !== 199) continue;
        held.push({ count: settledTensorCount(), bytes: settledTensorBytes() });
        rss.push(process.memoryUsage.rss());
      }
      expect(held[1]).toEqual(held[0]);
      // The JavaScript heap of the test breathes by some ten megabytes; 180 steps of leaked activations would be hundreds.
      expect((rss[1]! - rss[0]!) / MEGABYTE).toBeLessThan(48);
      expect(losses.every(Number.isFinite)).toBe(true);
      expect(mean(losses.slice(-50))).toBeLessThan(mean(losses.slice(0, 10)));
    }
    expect(tensorCount()).toBe(before);
  }, 60_000);
});

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
