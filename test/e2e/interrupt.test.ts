// Ctrl-C in each stage, and a process killed outright: nothing finished is lost, and the same command goes on to the
// result that an uninterrupted run gives, bit for bit.
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { settledTensorCount } from "../settled.ts";
import { latestRunState } from "../../src/checkpoint/index.ts";
import { InterruptedError } from "../../src/experiment/index.ts";
import { tensorCount } from "../../src/torch/index.ts";
import { differingFiles, filesBelow, run, tinyConfig, tinyOptions } from "../tiny-experiment.ts";
import { Cli, interruptCli, runCli } from "./cli.ts";

const STAGES = "data latents base groups guidance samples-base samples classifiers evaluation".split(" ");
const MINUTES = 60_000;
/** Long enough that a signal sent at a stage's first line of progress meets the stage, on fast machines too. */
const LONGER = { guidance: { steps: 10 }, evaluation: { classifierSteps: 24 } };
const config = tinyConfig(LONGER);

let root = "";
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "invdiff-stop-"));
  await run(config, join(root, "whole"));
}, 2 * MINUTES);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const finished = (out: string): string[] =>
  STAGES.filter((stage) => existsSync(join(out, stage, "manifest.json")));

/** Files but for the cache, whose shards end where an interruption was; what is made from them is compared. */
const resultFiles = (out: string, ending: string) =>
  new Map([...filesBelow(out, ending)].filter(([name]) => !name.startsWith("cache/")));

/** The work of an experiment: tensors, pictures, losses, evaluation; not times and temporary names. */
function expectSameResults(out: string): void {
  for (const ending of [
    ".safetensors",
    ".png",
    "losses.json",
    "metrics.jsonl",
    "groups.json",
    "classifiers.json",
    "result.json",
  ]) {
    const [a, b] = [resultFiles(join(root, "whole"), ending), resultFiles(out, ending)];
    expect(a.size).toBeGreaterThan(0);
    expect(differingFiles(a, b)).toEqual([]);
  }
  const leftOvers = readdirSync(out, { recursive: true, encoding: "utf8" });
  expect(leftOvers.filter((name) => /partial|\.tmp|\.old|\.lock|checkpoint-/.test(name))).toEqual([]);
  expect(finished(out)).toEqual(STAGES);
}

describe("an abort in each stage", () => {
  it(
    "keeps what is finished; the last run ends with the result of a whole one",
    async () => {
      const out = join(root, "each");
      const before = settledTensorCount();
      for (const [i, target] of STAGES.entries()) {
        const controller = new AbortController();
        const reason = new InterruptedError("Stopped by Ctrl-C.");
        const events: string[] = [];
        const error: unknown = await run(config, out, {
          signal: controller.signal,
          onStage: ({ stage, state }) => events.push(`${stage} ${state}`),
          onProgress: ({ stage }) => stage === target && controller.abort(reason),
        }).catch((caught: unknown) => caught);
        expect({ target, error }).toEqual({ target, error: reason });
        // Less when the garbage collector came by.
        expect(tensorCount() - before).toBeLessThanOrEqual(0);
        expect(finished(out)).toEqual(STAGES.slice(0, i));
        // What was begun last time is resumed, finished, and the target started.
        const reused = STAGES.slice(0, Math.max(0, i - 1)).map((stage) => `${stage} reused`);
        const resumed = i > 0 ? [`${STAGES[i - 1]} resumed`, `${STAGES[i - 1]} finished`] : [];
        expect(events).toEqual([...reused, ...resumed, `${target} started`]);
        expect(existsSync(join(out, `${target}.partial`, "partial.json"))).toBe(true);
      }
      const { events } = await run(config, out);
      expect(events.slice(-2)).toEqual(["evaluation resumed", "evaluation finished"]);
      expectSameResults(out);
    },
    3 * MINUTES,
  );
});

describe("the command line", () => {
  it(
    "stops with 130 at Ctrl-C, survives a kill, and goes on",
    async () => {
      const command = ["quickstart", "--out", "cli", ...tinyOptions(LONGER)];
      const out = join(root, "cli");
      const modified = (stage: string) => statSync(join(out, stage, "manifest.json")).mtimeMs;
      const interrupt = async (pattern: RegExp) => {
        const result = await interruptCli(command, pattern, { cwd: root });
        expect(result).toMatchObject({ code: 130, signal: null, stdout: "" });
        expect(result.stderr).toContain("Stopping: what is done is saved.");
        expect(result.stderr).toMatch(
          /To go on from here, run the same command again:\n {2}node .*main\.ts quickstart --out cli --set threads=1 --set data\.train=96/,
        );
        expect(result.stderr).not.toMatch(/\n\s+at |error/);
        return result.stderr;
      };

      // SIGKILL in the middle of the base, after its first checkpoint.
      const killed = new Cli(command, { cwd: root });
      await killed.waitFor(/base: training/);
      const checkpoints = join(out, "base.partial", "checkpoints");
      while (!existsSync(join(checkpoints, "checkpoint-000003"))) await sleep(2);
      killed.send("SIGKILL");
      expect(await killed.end()).toMatchObject({ code: null, signal: "SIGKILL" });
      expect(finished(out)).toEqual(["data", "latents"]);
      const times = ["data", "latents"].map(modified);

      const base = await interrupt(/base: training/);
      expect(base).toMatch(/data: reused .*\nlatents: reused .*\nbase: resuming the interrupted work\n/);
      const [, first] = /base: training (\d+)\/12/.exec(base)!;
      expect(Number(first)).toBeGreaterThan(3);
      expect(base).toMatch(/Resuming after step \d+ of 12\./);
      expect(latestRunState(checkpoints)!.step).toBeGreaterThanOrEqual(3);

      await interrupt(/guidance: training/);
      expect(finished(out)).toEqual(STAGES.slice(0, 4));
      expect(["data", "latents"].map(modified)).toEqual(times);
      await interrupt(/classifiers: training/);
      expect(finished(out)).toEqual(STAGES.slice(0, 7));

      const end = await runCli(command, { cwd: root });
      expect(end).toMatchObject({ code: 0 });
      expect(end.stderr).toContain("classifiers: resuming the interrupted work");
      expect(end.stdout).toMatch(/Bias: base .* -> guided .*\n(.*\n)*Report: cli\/report\.html\n$/);
      expectSameResults(out);
    },
    3 * MINUTES,
  );
});
