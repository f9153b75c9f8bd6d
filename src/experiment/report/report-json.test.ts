import { describe, expect, it } from "vitest";
import { reportFixture } from "../../../test/report-fixture.ts";
import { richReport } from "../../../test/rich-report.ts";
import type { ReportComparison, ReportMetric } from "./metric-data.ts";
import { comparisonWords, differenceWriterOf, pValueText, verdictOf, writerOf } from "./metric-rows.ts";
import { reportJson } from "./report-json.ts";

const metric = (change: Partial<ReportMetric> = {}): ReportMetric => ({
  key: "fid",
  label: "FID",
  what: "Distance.",
  better: "lower",
  values: [{ value: 12.5 }, { value: 3.25 }],
  ...change,
});

describe("what a comparison says", () => {
  const cases: [ReportComparison, ReportMetric["better"], string, string][] = [
    [{ difference: -1, pValue: 0.01 }, "lower", "better", "lower than the base, beyond chance"],
    [{ difference: 1, pValue: 0.01 }, "lower", "worse", "higher than the base, beyond chance"],
    [{ difference: 1, pValue: 0.01 }, "higher", "better", "higher than the base, beyond chance"],
    [{ difference: 1, pValue: 0.05 }, "lower", "unclear", "no clear difference"],
    [{ difference: -1, pValue: 0.01 }, undefined, "lower", "lower than the base, beyond chance"],
    // Without a p-value the interval decides; with neither, nothing is claimed.
    [{ difference: -1, interval: [-2, -0.1] }, "lower", "better", "lower than the base, beyond chance"],
    [{ difference: -1, interval: [-2, 0.1] }, "lower", "unclear", "no clear difference"],
    [{ difference: -1 }, "lower", "unclear", "no clear difference"],
    [{ difference: 0, pValue: 0.01 }, "lower", "unclear", "no clear difference"],
  ];

  it.each(cases)("%j, %s is better: %s", (comparison, better, verdict, words) => {
    expect(verdictOf({ better }, comparison)).toBe(verdict);
    expect(comparisonWords(metric({ better }), comparison)).toBe(words);
  });

  it("writes numbers of a row with the same digits, shares as per cent, differences with their sign", () => {
    expect(writerOf(metric())(3.25)).toBe("3.3");
    expect(writerOf(metric({ values: [{ value: 0.25 }] }))(0.25)).toBe("0.250");
    expect(writerOf(metric({ digits: 4 }))(3.25)).toBe("3.2500");
    const share = metric({ unit: "share" });
    expect(writerOf(share)(0.5)).toBe("50.0\u00a0%");
    expect([0.021, -0.021, 0.0001].map(differenceWriterOf(share))).toEqual(["+2.1", "−2.1", "0.0"]);
    expect([0.0004, 0.02, 0.5].map(pValueText)).toEqual(
      ["p < 0.001", "p = 0.020", "p = 0.50"].map((text) => text.replaceAll(" ", "\u00a0")),
    );
  });
});

describe("reportJson", () => {
  it("has every metric of every model, comparisons with their verdict, and what was skipped", () => {
    const data = richReport();
    const table = reportJson(data);
    expect(table).toMatchObject({
      format: "invdiff-metrics",
      version: 1,
      base: "base",
      imagesPerPrompt: 512,
    });
    expect(table.models.map(({ key }) => key)).toEqual([
      "base",
      "guided",
      "oracle",
      "reference",
      "prompt",
      "reweighted",
    ]);
    const fid = table.metrics.find(({ key }) => key === "fid")!;
    expect(fid.values["guided"]).toEqual({ value: 33.2, interval: [33.2 - 1.3, 33.2 + 1.3] });
    expect(fid.comparedToBase["base"]).toBeNull();
    expect(fid.comparedToBase["guided"]).toMatchObject({ pValue: 0.0002, verdict: "better" });
    expect(fid.comparedToBase["guided"]!.difference).toBeCloseTo(-8.7, 10);
    expect(fid.comparedToBase["prompt"]!.verdict).toBe("unclear");
    expect(fid).toMatchObject({
      better: "lower",
      featureSpace: "Inception-v3 pool3 (FID), clean resize",
      perPrompt: null,
      skipped: null,
    });
    const lpips = table.metrics.find(({ key }) => key === "lpipsDiversity")!;
    expect(lpips.skipped).toEqual({
      reason: "The weights of the LPIPS network are not on this machine.",
      command: "invdiff download network lpips",
    });
    expect(Object.values(lpips.values)).toEqual([null, null, null, null, null, null]);
    const bias = table.metrics.find(({ key }) => key === "bias")!;
    expect(bias.perPrompt).toHaveLength(2);
    expect(bias.perPrompt![1]!["base"]!.value).toBeCloseTo(0.89, 10);
    // Nothing is lost on the way through a file.
    expect(JSON.parse(JSON.stringify(table))).toEqual(table);
  });

  it("is made of the models' own numbers where no table is given", () => {
    const table = reportJson(reportFixture());
    expect(table.metrics.map(({ key }) => key)).toEqual(["bias", "promptAccuracy", "fid"]);
    expect(table.metrics[2]!.values).toEqual({
      base: { value: 12.94, interval: null },
      guided: { value: 9.58, interval: null },
      oracle: { value: 9.31, interval: null },
    });
    expect(reportJson({ ...reportFixture(), models: [] })).toMatchObject({
      base: null,
      models: [],
      metrics: [],
    });
  });
});
