import { describe, expect, it } from "vitest";
import { classificationReport } from "./classification-report.ts";

// Values against scikit-learn: test/parity/metrics.test.ts.
describe("classificationReport", () => {
  it("is what the definitions say for two values", () => {
    const found = classificationReport([0, 0, 0, 1, 1], [0, 0, 1, 1, 0], 2, {
      scores: [0, 0.1, 0.9, 0.8, 0.2],
    });
    expect(found.confusion).toEqual([
      [2, 1],
      [1, 1],
    ]);
    expect(found.accuracy).toBeCloseTo(3 / 5, 12);
    expect(found.perClass).toEqual([
      { precision: 2 / 3, recall: 2 / 3, f1: 2 / 3, support: 3 },
      { precision: 1 / 2, recall: 1 / 2, f1: 1 / 2, support: 2 },
    ]);
    expect(found.macro.f1).toBeCloseTo(7 / 12, 12);
    // AUC of labels: mean of the two recalls. Of scores: 4 of 6 pairs in order.
    expect(found.reference).toMatchObject({ precision: 0.5, recall: 0.5, f1: 0.5 });
    expect(found.reference.auc).toBeCloseTo((2 / 3 + 1 / 2) / 2, 12);
    expect(found.auc).toBeCloseTo(4 / 6, 12);
  });

  it("has no AUC where there is none, and refuses labels out of range", () => {
    const found = classificationReport([0, 1, 2], [0, 1, 1], 3, { scores: [0, 1, 2] });
    expect(found.auc).toBeUndefined();
    expect(found.reference.auc).toBeUndefined();
    expect(found.reference.f1).toBe(found.macro.f1);
    expect(() => classificationReport([0, 3], [0, 1], 3)).toThrow("label 3 at index 1");
    expect(() => classificationReport([], [], 2)).toThrow("length 0");
  });
});
