// A full disk, simulated where files are written, and for real by /dev/full.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { toyStage } from "../../test/experiment-stages.ts";
import { UserError } from "../torch/errors.ts";
import { defaultConfig } from "./config.ts";
import { bytesText, isDiskFull } from "./disk-full.ts";
import { runStages } from "./runner.ts";

/** Files whose names match are refused as on a full disk. */
const full = vi.hoisted(() => ({ pattern: undefined as RegExp | undefined }));
vi.mock("../torch/atomic-file.ts", async (importOriginal) => {
  const real = await importOriginal<typeof import("../torch/atomic-file.ts")>();
  const writeFileAtomic = (path: string, data: string | Uint8Array) => {
    if (full.pattern?.test(path))
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    real.writeFileAtomic(path, data);
  };
  return { ...real, writeFileAtomic };
});

let out = "";
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "invdiff-full-"));
});
afterEach(() => {
  full.pattern = undefined;
  rmSync(out, { recursive: true, force: true });
});

const config = defaultConfig();
const stages = (onStep?: (step: number) => void) => [
  toyStage("base"),
  toyStage("groups", { needs: ["base"], ...(onStep ? { onStep } : {}) }),
];

/** The error of a run that meets a full disk. */
async function failure(...parameters: Parameters<typeof stages>): Promise<Error> {
  const error = await runStages(stages(...parameters), config, { out }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UserError);
  return error as Error;
}

describe("a full disk", () => {
  it.each([/groups.partial\/partial.json/, /groups.partial\/manifest.json/])(
    "at %s loses nothing",
    async (pattern) => {
      full.pattern = pattern;
      const { message } = await failure();
      expect(message).toMatch(
        /The disk is full: stage groups could not write to .*groups.partial \(.* free now\)/,
      );
      expect(message).toContain("start the same command again");
      expect(existsSync(join(out, "base", "manifest.json"))).toBe(true);
      expect(existsSync(join(out, "groups"))).toBe(false);
      full.pattern = undefined;
      const events: string[] = [];
      await runStages(stages(), config, {
        out,
        onStage: ({ stage, state }) => events.push(`${stage} ${state}`),
      });
      expect(events[0]).toBe("base reused");
      expect(events.at(-1)).toBe("groups finished");
    },
  );

  it("before the first stage is told as such", async () => {
    full.pattern = /experiment.yaml$/;
    expect((await failure()).message).toContain("The disk is full: stage set-up");
  });

  it.runIf(existsSync("/dev/full"))("inside a stage keeps its unfinished work", async () => {
    const { message } = await failure((step) => {
      if (step === 2) writeFileSync("/dev/full", "x");
    });
    expect(message).toContain("The disk is full: stage groups");
    expect(readFileSync(join(out, "groups.partial", "count.txt"), "utf8")).toBe("2");
    const again = stages();
    await runStages(again, config, { out });
    expect(again.map(({ firstStep }) => firstStep)).toEqual([-1, 2]);
  });

  it("is recognised through causes and in libtorch's words", () => {
    const cause = Object.assign(new Error("write"), { code: "EDQUOT" });
    expect(isDiskFull(new Error("outer", { cause }))).toBe(true);
    expect(isDiskFull(new Error("[enforce fail] No space left on device"))).toBe(true);
    expect(isDiskFull(new Error("other"))).toBe(false);
  });
});

describe("bytesText", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1500, "1.5 kB"],
    [12_000_000, "12 MB"],
    [3_200_000_000, "3.2 GB"],
  ])("%d is %s", (bytes, text) => {
    expect(bytesText(bytes)).toBe(text);
  });
});
