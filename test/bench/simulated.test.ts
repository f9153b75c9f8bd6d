// The benchmark on a device that is no processor, plain and with graphs, in the workers that a card would have.
import { expect, it } from "vitest";
import { runGpuBenchmarks } from "../../bench/gpu/index.ts";
import { simulatedDevice } from "../simulated-device.ts";

const CASES = ["train batch 2", "guidance small2", "guidance adapters", "sample 4 steps batch 2", "groups"];

it("measures both ways of every case on the simulated device", async () => {
  const { device, library } = simulatedDevice();
  const before = process.env["INVDIFF_BACKEND"];
  process.env["INVDIFF_BACKEND"] = library;
  try {
    const report = await runGpuBenchmarks({
      ...{ device, scale: "tiny", python: null, threads: 1, cases: CASES, commit: "abc" },
    });
    expect(
      report.rows.flatMap(({ case: name, way, failure }) => (failure ? [[name, way, failure]] : [])),
    ).toEqual([]);
    expect(report.rows.filter(({ way }) => way === "graph").map(({ case: name }) => name)).toEqual([
      ...["train batch 2", "guidance small2 blend batch 2", "guidance adapters difference batch 2"],
      ...["sample 4 steps batch 2", "sample 4 steps batch 2", "groups profile batch 2"],
    ]);
    for (const { case: name, peakBytes, idleShare } of report.rows) {
      expect(peakBytes, name).toBeGreaterThan(1e5);
      if (/^(train|guidance)/.test(name)) expect(idleShare, name).toBeGreaterThanOrEqual(0);
    }
  } finally {
    if (before === undefined) delete process.env["INVDIFF_BACKEND"];
    else process.env["INVDIFF_BACKEND"] = before;
  }
}, 180_000);
