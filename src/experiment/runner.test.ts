import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ToyStageOptions, toyStage } from "../../test/experiment-stages.ts";
import { defaultConfig } from "./config.ts";
import { loadConfig } from "./config-file.ts";
import { InterruptedError } from "./interrupt.ts";
import { readManifest } from "./manifest.ts";
import { ownerText } from "./run-lock.ts";
import { type RunOptions, runStages, UnfinishedStagesError } from "./runner.ts";
import type { Stage } from "./stage.ts";

const config = defaultConfig();
let root = "";
let out = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "invdiff-run-"));
  out = join(root, "out");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Runs and gives the events as "stage state". */
async function run(stages: Stage[], options: Partial<RunOptions> = {}): Promise<string[]> {
  const events: string[] = [];
  await runStages(stages, config, {
    out,
    onStage: ({ stage, state }) => events.push(`${stage} ${state}`),
    ...options,
  });
  return events;
}

const pair = (inputs: Record<string, unknown> = { steps: 3 }, first: ToyStageOptions = {}) => [
  toyStage("base", { inputs, ...first }),
  toyStage("groups", { needs: ["base"], inputs: { count: 2 } }),
];
const text = (...names: string[]) => readFileSync(join(out, ...names), "utf8");

describe("a run", () => {
  it("leaves a folder with a manifest per stage, and the configuration", async () => {
    const start = Date.now();
    expect(await run(pair())).toEqual(["base started", "base finished", "groups started", "groups finished"]);
    const [base, groups] = [readManifest(join(out, "base")), readManifest(join(out, "groups"))];
    expect(base).toMatchObject({
      stage: "base",
      inputs: { steps: 3 },
      needs: {},
      seed: 0,
      result: { steps: 3 },
    });
    expect(groups?.needs).toEqual({ base: base?.key });
    expect(Date.parse(base?.startedAt ?? "")).toBeGreaterThanOrEqual(start);
    expect(base?.peakMemoryBytes).toBeGreaterThan(1e6);
    expect(existsSync(join(out, "base.partial"))).toBe(false);
    expect(existsSync(join(out, "base", "partial.json"))).toBe(false);
    expect(existsSync(join(out, ".lock"))).toBe(false);
    expect(loadConfig({ file: join(out, "experiment.yaml") })).toEqual(config);
  });

  it("gives stages the folders that they declared, and no others", async () => {
    const seen: string[] = [];
    const onStep: ToyStageOptions["onStep"] = (_step, context) => {
      seen.push(context.input("base"));
      context.input("groups");
    };
    const stages = [...pair(), toyStage("guidance", { needs: ["base"], onStep })];
    await expect(run(stages)).rejects.toThrow(
      "Stage guidance reads groups, but does not name it in its needs",
    );
    expect(seen).toEqual([join(out, "base")]);
  });

  it("reuses what is finished with the same inputs", async () => {
    await run(pair());
    const stages = pair();
    expect(await run(stages)).toEqual(["base reused", "groups reused"]);
    expect(stages.map(({ runs }) => runs)).toEqual([0, 0]);
  });
});

describe("finished stages with other inputs", () => {
  it("are refused before anything runs, with the difference", async () => {
    await run(pair({ steps: 3, model: "a".repeat(64) }));
    const stages = pair({ steps: 4, model: "b".repeat(64), rank: 8 });
    await expect(run(stages)).rejects.toThrow(
      "Stage base is finished here with other inputs (old -> new):\n" +
        "  model: its contents changed\n  steps: 3 -> 4\n  rank: absent -> 8\n" +
        "That also concerns: groups.\n" +
        "Choose another output folder (--out), or replace the old results (--force).",
    );
    expect(stages.map(({ runs }) => runs)).toEqual([0, 0]);
    expect(text("base", "result.txt")).toContain('"steps":3');
  });

  it("are replaced with force, the old one staying until the new one is complete", async () => {
    await run(pair());
    let old = "";
    const onStep = () => {
      old = text("base", "result.txt");
    };
    await run(pair({ steps: 4 }, { onStep }), { force: true });
    expect(old).toBe('{"steps":3}');
    expect(text("base", "result.txt")).toBe('{"steps":4}');
    expect(existsSync(join(out, "base.old"))).toBe(false);
  });

  it("keep the old result when the forced run fails", async () => {
    await run(pair());
    const onStep = () => {
      throw new Error("no luck");
    };
    await expect(run(pair({ steps: 4 }, { onStep }), { force: true })).rejects.toThrow("no luck");
    expect(text("base", "result.txt")).toBe('{"steps":3}');
    expect(await run(pair())).toEqual(["base reused", "groups reused"]);
  });
});

describe("interrupted work", () => {
  /** Aborts at step 1 of base. */
  async function interrupt(inputs = { steps: 3 }): Promise<void> {
    const controller = new AbortController();
    const onStep = (step: number) => {
      if (step === 1) controller.abort(new InterruptedError("stop"));
    };
    await expect(run(pair(inputs, { onStep }), { signal: controller.signal })).rejects.toThrow(
      InterruptedError,
    );
  }

  it("resumes where it stopped", async () => {
    await interrupt();
    expect(existsSync(join(out, "base"))).toBe(false);
    const stages = pair();
    expect(await run(stages)).toEqual(["base resumed", "base finished", "groups started", "groups finished"]);
    expect(stages[0]?.firstStep).toBe(1);
  });

  it("is refused with the difference when the inputs are others, and dropped when that is wanted", async () => {
    await interrupt();
    const stages = pair({ steps: 4 });
    await expect(run(stages)).rejects.toThrow(
      /Stage base was begun here with other inputs \(old -> new\):\n {2}steps: 3 -> 4\n.*drop the unfinished work \(--force\)/s,
    );
    expect(await run(stages, { force: true })).toEqual([
      ...["base discarded", "base started", "base finished", "groups started", "groups finished"],
    ]);
    expect(stages[0]?.firstStep).toBe(0);
  });

  it("is dropped without asking where it is cheap or kept elsewhere", async () => {
    await interrupt();
    const stages = pair({ steps: 4 }).map((stage) => ({ ...stage, disposable: true }));
    expect((await run(stages))[0]).toBe("base discarded");
  });

  it("does not start further stages", async () => {
    const controller = new AbortController();
    const stages = pair({ steps: 3 }, { steps: 0 });
    const options = {
      signal: controller.signal,
      onStage: () => controller.abort(new InterruptedError("stop")),
    };
    await expect(run(stages, options)).rejects.toThrow("stop");
    expect(stages[1]?.runs).toBe(0);
  });
});

describe("a process killed between the renames", () => {
  it("publishes a folder that was complete", async () => {
    await run(pair());
    renameSync(join(out, "base"), join(out, "base.partial"));
    expect(await run(pair())).toEqual(["base reused", "groups reused"]);
  });

  it("finishes a replacement: old aside, new complete", async () => {
    await run(pair());
    renameSync(join(out, "base"), join(out, "base.partial"));
    mkdirSync(join(out, "base.old"));
    expect(await run(pair())).toEqual(["base reused", "groups reused"]);
    expect(existsSync(join(out, "base.old"))).toBe(false);
  });

  it("brings the old folder back when the new one is not complete", async () => {
    await run(pair());
    renameSync(join(out, "base"), join(out, "base.old"));
    expect(await run(pair())).toEqual(["base reused", "groups reused"]);
  });
});

describe("one stage alone", () => {
  it("runs when what it needs is finished", async () => {
    const error = await run(pair(), { only: ["groups"] }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UnfinishedStagesError);
    expect((error as UnfinishedStagesError).unfinished).toEqual(["base"]);
    expect(existsSync(out)).toBe(false);
    expect(await run(pair(), { only: ["base"] })).toEqual(["base started", "base finished"]);
    expect(await run(pair(), { only: ["groups"] })).toEqual([
      "base reused",
      "groups started",
      "groups finished",
    ]);
  });

  it("may be named by its kind", async () => {
    const stages = [toyStage("base"), toyStage("groups-oracle", { needs: ["base"] })];
    expect(await run(stages, { only: ["base", "groups"] })).toContain("groups-oracle finished");
    await expect(run(stages, { only: ["none"] })).rejects.toThrow(
      "There is no stage none; expected one of base,",
    );
  });

  it("takes the fingerprints of what it needs, and of nothing else", async () => {
    const looked: string[] = [];
    const watched = (name: string, needs: string[] = []): Stage => ({
      ...toyStage(name, { needs }),
      inputs: () => {
        looked.push(name);
        return {};
      },
    });
    await run([watched("base"), watched("groups", ["base"]), watched("evaluation", ["groups"])]);
    looked.length = 0;
    await run([watched("base"), watched("groups", ["base"]), watched("evaluation", ["groups"])], {
      only: ["groups"],
    });
    expect(new Set(looked)).toEqual(new Set(["base", "groups"]));
  });

  it("refuses needed stages of other inputs", async () => {
    await run(pair());
    await expect(run(pair({ steps: 4 }), { only: ["groups"], force: true })).rejects.toThrow(
      "or make stage base anew first, with --force",
    );
  });
});

describe("the output folder", () => {
  it("is left alone when it is not ours", async () => {
    mkdirSync(out);
    writeFileSync(join(out, "thesis.txt"), "mine");
    await expect(run(pair())).rejects.toThrow(/holds other files \(thesis.txt\).*nothing is written there/s);
    expect(text("thesis.txt")).toBe("mine");
    writeFileSync(join(root, "file"), "");
    await expect(run(pair(), { out: join(root, "file") })).rejects.toThrow("is a file; expected a folder");
  });

  it("may be there and empty", async () => {
    mkdirSync(out);
    expect(await run(pair())).toContain("groups finished");
  });

  it("is used by one run at a time", async () => {
    const onStep = async () => {
      await expect(run(pair())).rejects.toThrow(/in use by another run/);
    };
    await run(pair({ steps: 3 }, { onStep }));
  });

  it.each([
    ["a dead process", JSON.stringify({ pid: 2 ** 30, host: hostname(), started: "" })],
    ["a pid used again", JSON.stringify({ pid: process.pid, host: hostname(), started: "1" })],
    ["half a file", '{"pid":'],
  ])("takes over the lock of %s", async (_name, lock) => {
    mkdirSync(out);
    writeFileSync(join(out, ".lock"), lock);
    expect(await run(pair())).toContain("groups finished");
  });

  it("respects the lock of another machine", async () => {
    mkdirSync(out);
    writeFileSync(join(out, ".lock"), ownerText().replace(hostname(), "elsewhere"));
    await expect(run(pair())).rejects.toThrow("elsewhere");
  });
});

describe("a broken manifest", () => {
  it("is named with what to do", async () => {
    await run(pair());
    writeFileSync(join(out, "base", "manifest.json"), '{"stage": 1}');
    await expect(run(pair())).rejects.toThrow(/base\/manifest.json is broken \(.*Remove the folder/);
  });
});
