// The whole benchmark on the processor, our side alone: every kind of case in small, and the report as JSON.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type BenchmarkReport, reportText, runGpuBenchmarks } from "../../bench/gpu/index.ts";

const CASES = ["copy", "train batch 1", "guidance", "sample 4 steps batch 1", "groups", "encode", "decode"];

it("measures every kind of case on the processor and writes what it measured", async () => {
  const folder = mkdtempSync(join(tmpdir(), "invdiff-bench-test-"));
  const json = join(folder, "bench.json");
  const printed: string[] = [];
  try {
    const report = await runGpuBenchmarks({
      ...{ device: "cpu", python: null, threads: 1, cases: CASES, json, commit: "abc" },
      print: (line) => printed.push(line),
    });
    const rows = report.rows.map(({ case: name, row, way }) => `${name} ${row} ${way}`.replace("  ", " "));
    expect(rows).toEqual([
      ...["matmul 256 plain", "copy plain", "train batch 1 plain"],
      ...["guidance copy blend batch 2 plain", "guidance small2 blend batch 2 plain"],
      ...["guidance copy difference batch 2 plain", "guidance adapters difference batch 2 plain"],
      ...["sample 4 steps batch 1 to latents plain", "sample 4 steps batch 1 to images plain"],
      ...["groups profile batch 2 plain", "encode batch 2 float32 plain", "decode batch 2 float32 plain"],
    ]);
    for (const { case: name, failure, milliseconds, ratioVerdict } of report.rows) {
      expect(failure, name).toBeUndefined();
      expect(milliseconds, name).toBeGreaterThan(0);
      expect(ratioVerdict, name).toBe("not applicable");
    }
    const training = report.rows.find(({ case: name }) => name === "train batch 1")!;
    expect(training.idleShare).toBeGreaterThanOrEqual(0);
    expect(training.target?.verdict).toBe("not applicable");
    expect(training.imagesPerSecond).toBeCloseTo(1000 / training.milliseconds!, 9);
    expect(report.ceiling.matmulTeraflops).toBeGreaterThan(0);
    expect(report).toMatchObject({
      ...{ device: "cpu", card: "cpu", scale: "tiny", commit: "abc", python: null, leftOut: [] },
      ours: { device: "cpu", node: process.versions.node },
      machine: { card: null, driver: null },
    });
    // The file is the report but for the time that has passed since.
    const stored = JSON.parse(readFileSync(json, "utf8")) as BenchmarkReport;
    const { made: _, seconds: __, ...same } = JSON.parse(JSON.stringify(report)) as BenchmarkReport;
    expect(stored).toMatchObject(same);
    expect(stored.cases.map((one) => one.case.kind)).toContain("sampling");
    expect(printed).toHaveLength(report.rows.length);
    const text = reportText(report);
    expect(text).toContain("Python: not measured");
    for (const { case: name } of report.rows) expect(text).toContain(name);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);

it("refuses names of no case and devices that are not there", async () => {
  const wrong = { device: "cpu", python: null } as const;
  await expect(runGpuBenchmarks({ ...wrong, cases: ["nonsense"] })).rejects.toThrow(
    /No case begins with "nonsense"; there are:\n {2}matmul 256\n/,
  );
  await expect(runGpuBenchmarks({ ...wrong, device: "cuda:77" })).rejects.toThrow(/cuda/i);
});
