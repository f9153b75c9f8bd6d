// Fifty steps of each stage give the stored losses: to the bit where libtorch, its build and the processor are the same,
// otherwise to 1e-5. `UPDATE_LOSS_CURVE=1 npx vitest run test/parity/loss-curve.test.ts` stores this machine's.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { makeTrainer } from "../../src/experiment/training/loop.ts";
import { trainStep } from "../../src/method/index.ts";
import { getNumThreads, libtorchVersion, setNumThreads, showConfig } from "../../src/torch/index.ts";
import { trainingJob } from "../training-job.ts";
import { within } from "./within.ts";

const FILE = fileURLToPath(new URL("../golden/loss-curve.json", import.meta.url));
const STEPS = 50;

interface Stored {
  readonly engine: string;
  readonly losses: Readonly<Record<string, number[]>>;
}

/** What decides about the last bits. */
function engine(): string {
  const capability = /CPU capability usage: (\S+)/.exec(showConfig())?.[1] ?? "unknown";
  return `${libtorchVersion()}, ${capability}, ${cpus()[0]?.model.trim()}`;
}

async function curve(stage: "base" | "guidance"): Promise<number[]> {
  using job = trainingJob(stage, { steps: STEPS, learningRate: 2e-3 });
  using trainer = makeTrainer(job, STEPS);
  const threads = getNumThreads();
  setNumThreads(1);
  try {
    const losses: number[] = [];
    for (let step = 0; step < STEPS; step++)
      losses.push((await trainStep(trainer, job.set, job.batches.next().value, step)).loss);
    return losses;
  } finally {
    setNumThreads(threads);
  }
}

const update = process.env["UPDATE_LOSS_CURVE"] === "1";
const stored = !update && existsSync(FILE) ? (JSON.parse(readFileSync(FILE, "utf8")) as Stored) : undefined;

describe("the loss curve of 50 steps", () => {
  it.each(["base", "guidance"] as const)("of %s is the stored one", async (stage) => {
    const losses = await curve(stage);
    expect(losses).toHaveLength(STEPS);
    expect(await curve(stage)).toEqual(losses);
    if (update) {
      const before = existsSync(FILE) ? (JSON.parse(readFileSync(FILE, "utf8")) as Stored).losses : {};
      const text = JSON.stringify({ engine: engine(), losses: { ...before, [stage]: losses } }, null, 1);
      writeFileSync(FILE, `${text}\n`);
      return;
    }
    const expected = stored!.losses[stage]!;
    const worst = Math.max(...losses.map((loss, step) => Math.abs(loss - expected[step]!) / expected[step]!));
    within(`loss curve: ${stage}, 50 steps`, "loss", worst, stored!.engine === engine() ? 0 : 1e-5);
  });
});
