// The parity subset as it will run on a card, on the simulated device: everything but the full-size network and the longer
// half in bfloat16, which take too long there. And that a wrong number is told.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { goldenDir } from "../../test/golden-dir.ts";
import { settledTensorCount } from "../../test/settled.ts";
import { simulatedDevice } from "../../test/simulated-device.ts";
import { deviceParts } from "./device/parts.ts";
import { parityParts, runParity } from "./parity.ts";
import { isGood, partLine, readResults, writeResults } from "./part-result.ts";
import { cells, gather } from "./rows.ts";

const { device, setMemoryLimit } = simulatedDevice();
setMemoryLimit(2 ** 29);
const onCard = parityParts({ device });
const tried = onCard.filter(({ name }) => !/full-size|sd1, bfloat16|training, bfloat16/.test(name));

describe("on a device", () => {
  it("covers what only a device can show", () => {
    expect(onCard.map(({ name }) => name)).toEqual(
      expect.arrayContaining(deviceParts().map(({ name }) => name)),
    );
    const onProcessor = parityParts({ device: "cpu" }).map(({ name }) => name);
    expect(onCard.map(({ name }) => name)).toEqual(expect.arrayContaining(onProcessor));
  });

  it.each(tried)("$name", async (part) => {
    const before = settledTensorCount();
    const [result] = await runParity([part], device);
    expect({
      ...result,
      comparisons: cells(gather(result!.comparisons)).filter((row) => row[4] !== "ok"),
    }).toEqual({
      name: part.name,
      seconds: expect.any(Number),
      comparisons: [expect.arrayContaining(["check", "where"])],
    });
    expect(result!.comparisons.length).toBeGreaterThan(0);
    expect(settledTensorCount()).toBe(before);
  });
});

describe("results", () => {
  const folder = mkdtempSync(join(tmpdir(), "invdiff-parity-"));
  afterEach(() => vi.unstubAllEnvs());

  it("tells a wrong number, where it was seen, and goes on", async () => {
    const broken = join(folder, "golden");
    cpSync(goldenDir(), broken, { recursive: true });
    const path = join(broken, "objective.json");
    const cases = JSON.parse(readFileSync(path, "utf8")) as { case: number; loss: number }[];
    cases[2]!.loss *= 1.001;
    writeFileSync(path, JSON.stringify(cases));
    rmSync(join(broken, "schedulers.safetensors"));
    vi.stubEnv("GOLDEN_DIR", broken);
    const names = ["objective", "schedulers", "clip"];
    const parts = parityParts({ device: "cpu" }).filter(({ name }) => names.includes(name));
    const [objective, schedulers, clip] = await runParity(parts, "cpu");
    expect(isGood(objective!)).toBe(false);
    const row = gather(objective!.comparisons).find(({ failed }) => failed > 0);
    expect(row).toMatchObject({
      row: "objective: loss",
      failed: 1,
      count: 5,
      worst: { at: `case ${cases[2]!.case}` },
    });
    expect(schedulers!.error).toMatch(/schedulers\.safetensors/);
    expect(partLine(schedulers!)).toMatch(/schedulers: FAILED, 0 values .*schedulers\.safetensors/);
    expect(isGood(clip!)).toBe(true);
  });

  it("keeps what JSON cannot say", () => {
    const path = join(folder, "parity.json");
    const comparisons = [NaN, Infinity, 0.5].map((error, i) => ({
      row: "r",
      at: `${i}`,
      error,
      tolerance: 1,
    }));
    const part = { name: "part", seconds: 1, comparisons };
    writeResults(path, [part]);
    expect(readResults(path)).toEqual([part]);
    expect(gather(comparisons)).toEqual([{ row: "r", count: 3, failed: 2, worst: comparisons[0] }]);
    expect(isGood(part)).toBe(false);
    expect(isGood({ ...part, comparisons: [] })).toBe(false);
    expect(readResults(join(folder, "none.json"))).toEqual([]);
  });
});
