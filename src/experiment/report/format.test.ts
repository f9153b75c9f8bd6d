import { describe, expect, it } from "vitest";
import { dateTime, duration, fixed, integer, list, measured, percent, percent1 } from "./format.ts";
import { thinCurve } from "./series.ts";

describe("format", () => {
  it("writes numbers", () => {
    expect([fixed(0.153), fixed(-0.001), fixed(-1.5, 1)]).toEqual(["0.15", "0.00", "\u22121.5"]);
    expect([percent(0.9), percent(0.994), percent(0.006), percent(1), percent(0), percent1(0.5)]).toEqual(
      ["90", "99.4", "0.6", "100", "0", "50.0"].map((text) => `${text}\u00a0%`),
    );
    expect(measured({ value: 0.15, interval: [0.1, 0.2] })).toBe("0.15 (0.10 to 0.20)");
    expect([integer(999), integer(12345678)]).toEqual(["999", "12,345,678"]);
    expect(
      [duration(8.25), duration(59.7), duration(185), duration(3720)].map((t) => t.replaceAll("\u00a0", " ")),
    ).toEqual(["8.3 s", "1 min 00 s", "3 min 05 s", "1 h 02 min"]);
    expect([dateTime("2026-11-24T02:41:00Z"), dateTime("today")]).toEqual([
      "24 Nov 2026, 02:41 UTC",
      "today",
    ]);
    expect([list([]), list(["a"]), list(["a", "b", "c"])]).toEqual(["", "a", "a, b and c"]);
  });
});

describe("thinCurve", () => {
  it("keeps short curves and averages long ones", () => {
    expect(thinCurve([1, 2, 3], [5, Number.NaN, 7])).toEqual({ steps: [1, 3], raw: [5, 7], smooth: [5, 7] });
    const steps = Array.from({ length: 4000 }, (_, i) => i + 1);
    const thin = thinCurve(
      steps,
      steps.map((step) => 2 * step),
    );
    expect(thin.steps.length).toBeLessThanOrEqual(500);
    expect(thin.steps.at(-1)).toBe(4000);
    expect(thin.raw[0]).toBe(9);
    // A straight line stays one.
    thin.smooth.slice(1, -1).forEach((value, i) => expect(value).toBeCloseTo(thin.raw[i + 1]!, 8));
  });
});
