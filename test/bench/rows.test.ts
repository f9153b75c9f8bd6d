// From the workers' answers to the table: ratios, verdicts, what a failure leaves, two rounds together.
import { describe, expect, it } from "vitest";
import { benchmarkCases, type Case } from "../../bench/gpu/cases.ts";
import type { Result } from "../../bench/gpu/protocol.ts";
import { ceilingOf, merged } from "../../bench/gpu/report.ts";
import { failureText, ratioLine, rowsOf, targetLines, workOf } from "../../bench/gpu/rows.ts";
import { tableText } from "../../bench/gpu/table.ts";

const cases = benchmarkCases("full", { graphs: true });
const named = (start: string): Case => cases.find(({ name }) => name.startsWith(start))!;
const H200 = { card: "NVIDIA H200", matmulTeraflops: 800 };

const measured = (variant: string, milliseconds: number[], more: Partial<Result> = {}): Result => ({
  ...{ variant, row: "", milliseconds },
  ...more,
});

describe("the cases", () => {
  it("begin with the peak and what has a target", () => {
    const kinds = cases.map(({ target, name }) => (target ? "target" : name));
    expect(kinds.slice(0, 2)).toEqual(["matmul 8192", "copy"]);
    expect(kinds.lastIndexOf("target")).toBe(1 + cases.filter(({ target }) => target).length);
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });

  it("have the work of the FLOP table", () => {
    const forward = 803_273_441_280;
    const small2 = 233_116_631_040;
    const [encode, decode] = [1_116_658_466_816, 2_514_518_933_504];
    expect(workOf(named("train batch 32"), "")).toEqual({ images: 32, flops: 32 * 3 * forward });
    expect(workOf(named("guidance copy blend"), "").flops).toBe(32 * 4 * forward);
    expect(workOf(named("guidance small2"), "").flops).toBe(32 * (forward + 3 * small2));
    expect(workOf(named("guidance copy difference"), "").flops).toBe(32 * 3 * forward);
    const sample = named("sample 50 steps batch 8");
    expect(workOf(sample, "to latents").flops).toBe(8 * 100 * forward);
    expect(workOf(sample, "to images").flops).toBe(8 * (100 * forward + decode));
    expect(workOf(named("groups"), "").flops).toBe(64 * 8 * forward);
    expect(workOf(named("encode"), "").flops).toBe(8 * encode);
    expect(workOf(named("decode"), "").flops).toBe(8 * decode);
    expect(workOf(named("matmul"), "")).toEqual({ flops: 2 * 8192 ** 3 });
  });
});

describe("a row", () => {
  const one = named("train batch 32");
  const ours = [
    measured("plain", [260, 250, 240], { peakBytes: 5e10, idleShare: 0.01 }),
    measured("graph", [200]),
  ];
  const python = [measured("eager", [300]), measured("eager, NCHW", [260], { peakBytes: 6e10 })];
  const rows = rowsOf({ case: one, ours, python }, H200);

  it("has the median, speeds, the share of the peak, and the ratio to Python's fastest way", () => {
    expect(rows[0]).toMatchObject({
      ...{ case: "train batch 32", way: "plain", row: "", milliseconds: 250, imagesPerSecond: 128 },
      ...{ peakBytes: 5e10, idleShare: 0.01, ratioVerdict: "missed" },
      python: { way: "eager, NCHW", milliseconds: 260, peakBytes: 6e10 },
      target: { imagesPerSecond: 120, verdict: "met" },
    });
    const teraflops = (32 * 3 * 0.80327344128) / 0.25;
    expect(rows[0]!.teraflops).toBeCloseTo(teraflops, 9);
    expect(rows[0]!.peakShare).toBeCloseTo(teraflops / 800, 12);
    expect(rows[0]!.ratio).toBeCloseTo(250 / 260, 12);
    expect(rows[1]).toMatchObject({ way: "graph", ratioVerdict: "met", imagesPerSecond: 160 });
  });

  it("judges targets on the cards that they are for only, and ratios on any card", () => {
    const on = (card: string) => rowsOf({ case: one, ours, python }, { card })[0]!;
    expect(on("NVIDIA H100 80GB HBM3").target?.verdict).toBe("met");
    expect(on("NVIDIA H100 PCIe").target?.verdict).toBe("not applicable");
    expect(on("NVIDIA A100-SXM4-80GB")).toMatchObject({
      ratioVerdict: "missed",
      target: { verdict: "not applicable" },
    });
    expect(on("cpu")).toMatchObject({
      ratioVerdict: "not applicable",
      target: { verdict: "not applicable" },
    });
    const slow = rowsOf({ case: one, ours: [measured("plain", [300])], python: null }, H200)[0]!;
    expect(slow.target?.verdict).toBe("missed");
    expect([slow.ratio, slow.python]).toEqual([undefined, undefined]);
  });

  it("sums up: the fastest row of each target, and every case's fastest way beside Python", () => {
    expect(targetLines(rows)).toEqual([
      "full training, at least 120 images/s: 160 (train batch 32, graph): met",
    ]);
    expect(ratioLine(rows, "NVIDIA H200")).toBe("time at most 0.95 of Python's: 1 of 1 rows: met");
    expect(ratioLine(rows.slice(0, 1), "NVIDIA H200")).toBe(
      "time at most 0.95 of Python's: 0 of 1 rows: missed by train batch 32 0.96",
    );
    expect(ratioLine([], "NVIDIA H200")).toBe("time beside Python's: not measured");
  });

  it("of sampling has a target for images alone", () => {
    const parts = ["to latents", "to images"].map((row) => measured("graph", [9000], { row }));
    const [latents, images] = rowsOf(
      { case: named("sample 50 steps batch 32"), ours: parts, python: parts },
      H200,
    );
    expect(latents!.target).toBeUndefined();
    expect(images!.target).toMatchObject({ imagesPerSecond: 3.4, verdict: "met" });
    expect([latents!.ratio, images!.ratio]).toEqual([1, 1]);
  });
});

describe("a failure", () => {
  const one = named("train batch 64");
  const outOfMemory = {
    variant: "graph",
    outOfMemory: { message: "no room", requestedBytes: 2e9, freeBytes: 1.5e9, totalBytes: 80e9 },
  };

  it("is a row with the reason, beside what was measured", () => {
    const rows = rowsOf(
      { case: one, ours: [measured("plain", [500]), outOfMemory], python: [outOfMemory] },
      H200,
    );
    expect(rows.map(({ way, failure }) => [way, failure])).toEqual([
      ["plain", undefined],
      ["graph", "out of memory (2.0 GB asked for, 1.5 GB free, 80.0 GB in all)"],
    ]);
    expect(rows[0]!.python).toEqual({
      failure: "out of memory (2.0 GB asked for, 1.5 GB free, 80.0 GB in all)",
    });
    const table = tableText({ rows }).split("\n");
    expect(table).toHaveLength(3);
    expect(table[1]).toMatch(/^train batch 64 {2}plain {2}\s*500 {2}.* out of memory {2}/);
    expect(table[2]).toBe(
      "train batch 64  graph  out of memory (2.0 GB asked for, 1.5 GB free, 80.0 GB in all)",
    );
  });

  it("says what little is known", () => {
    expect(failureText({ variant: "plain", outOfMemory: { message: "no room" } })).toBe(
      "out of memory (no room)",
    );
    expect(failureText({ variant: "plain", error: "first\nsecond" })).toBe("failed: first");
  });
});

describe("two rounds", () => {
  it("are one list of measurements; of a way that failed once, the failure", () => {
    const failed = { variant: "graph", error: "no" };
    const first = [measured("plain", [1, 2], { row: "a" }), measured("plain", [3], { row: "b" }), failed];
    const second = [
      measured("plain", [4], { row: "a" }),
      measured("plain", [5], { row: "b" }),
      measured("graph", [1]),
    ];
    expect(merged(undefined, first)).toBe(first);
    expect(merged(first, second)).toEqual([
      measured("plain", [1, 2, 4], { row: "a" }),
      measured("plain", [3, 5], { row: "b" }),
      failed,
    ]);
    expect(merged(second, first).at(-1)).toEqual(failed);
  });
});

it("the peak is the measured product's and copy's", () => {
  const matmul = { case: named("matmul"), ours: [measured("plain", [2])], python: null };
  const copy = { case: named("copy"), ours: [measured("plain", [1])], python: null };
  const found = ceilingOf([matmul, copy], "NVIDIA H200");
  expect(found.matmulTeraflops).toBeCloseTo((2 * 8192 ** 3) / 2e-3 / 1e12, 9);
  expect(found.copyGigabytesPerSecond).toBeCloseTo((2 * 2 ** 30) / 1e-3 / 1e9, 9);
});
