// Bias rows against the numbers of src/metrics on the same labels, and closed forms.
import { describe, expect, it } from "vitest";
import { modelOf, pixelJudge } from "../../../test/evaluation-parts.ts";
import { bias, biasEstimate, correctedBias, pairedBias } from "../../metrics/index.ts";
import { attributeCounts, biasRows } from "./bias-rows.ts";
import type { JudgeQuality } from "./judge.ts";
import type { JudgedModel } from "./models.ts";

const options = { resamples: 200, seed: 5 };
const PROMPT_OF = [0, 0, 0, 0, 1, 1, 1, 1];
const LABELS = { base: [0, 0, 0, 0, 0, 0, 0, 1], guided: [0, 1, 0, 1, 1, 0, 0, 0] };
const COUNTS = {
  base: [
    [4, 0],
    [3, 1],
  ],
  guided: [
    [2, 2],
    [3, 1],
  ],
};
const byPrompt = (labels: readonly number[]) => [labels.slice(0, 4), labels.slice(4)];
const quality = (confusion: number[][]): JudgeQuality => ({
  accuracy: { value: 0.9, interval: [0.85, 0.95] },
  heldOutImages: 40,
  confusion,
});

const attributeOf = (
  labels: readonly (readonly number[])[],
  { values = ["water", "land"], confusion }: { values?: string[]; confusion?: number[][] } = {},
) => ({
  judge: pixelJudge("place", values, confusion ? { quality: quality(confusion) } : {}),
  predictions: labels.map((own) => ({ classes: Int32Array.from(own), probabilities: new Float32Array() })),
});
const two = [modelOf("base", PROMPT_OF), modelOf("guided", PROMPT_OF)];
const rowsOf = (
  attribute: ReturnType<typeof attributeOf>,
  models: readonly JudgedModel[] = two,
  further = false,
) => biasRows(attribute, models, { prompts: 2, further, options });

describe("biasRows", () => {
  it("counts images by prompt and value", () => {
    const attribute = attributeOf([LABELS.base, LABELS.guided]);
    expect(attributeCounts(attribute, two, 2)).toEqual([COUNTS.base, COUNTS.guided]);
    const third = attributeOf([[0, 2, 2]], { values: ["a", "b", "c", "d"] });
    expect(attributeCounts(third, [modelOf("x", [0, 2, 2])], 3)).toEqual([
      [
        [1, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 2, 0],
      ],
    ]);
  });

  it("gives the Bias of the counts, by prompt too, with its interval", () => {
    const { rows, cautions } = rowsOf(attributeOf([LABELS.base, LABELS.guided]));
    expect(rows.map(({ key }) => key)).toEqual(["bias", "biasRaw", "biasCorrected"]);
    expect(cautions).toEqual([]);
    const [row, raw] = rows;
    // |4 - 0| / 4 and |3 - 1| / 4; |2 - 2| / 4 and |3 - 1| / 4.
    expect(row!.values.map((own) => own!.value)).toEqual([0.75, 0.25]);
    expect(row!.perPrompt!.map((list) => list.map((own) => own!.value))).toEqual([
      [1, 0],
      [0.5, 0.5],
    ]);
    const expected = [COUNTS.base, COUNTS.guided].map((own) => biasEstimate(own, options));
    expect(row!.values).toEqual(expected.map(({ overall }) => overall));
    expect(row!.perPrompt).toEqual([0, 1].map((p) => expected.map(({ perPrompt }) => perPrompt[p])));
    expect(raw!.values.map((own) => own!.value)).toEqual(
      [COUNTS.base, COUNTS.guided].map((own) => bias(own).biasScore),
    );
    expect([row!.better, raw!.better]).toEqual(["lower", "lower"]);
  });

  it("writes the raw Bias as the reference does: 2 / K at most", () => {
    const labels = [[2, 2, 2, 2, 2, 2, 2, 2]];
    const { rows } = rowsOf(attributeOf(labels, { values: ["a", "b", "c", "d"] }), [
      modelOf("base", PROMPT_OF),
    ]);
    expect(rows[0]!.values[0]!.value).toBe(1);
    expect(rows[1]!.values[0]!.value).toBe(0.5);
    expect(rows[1]!.what).toContain("with 4 values it cannot exceed 0.50");
    expect(rows[1]!.perPrompt![0]![0]!.value).toBe(0.5);
  });

  it("compares paired models with the base, and only these", () => {
    const attribute = attributeOf([LABELS.base, LABELS.guided]);
    const direct = pairedBias(byPrompt(LABELS.base), byPrompt(LABELS.guided), { classes: 2, ...options });
    const { difference, interval, pValue } = direct;
    expect(difference).toBe(-0.5);
    const [row] = rowsOf(attribute).rows;
    expect(row!.comparisons).toEqual([undefined, { difference, interval, pValue }]);
    const strangers = [two[0]!, modelOf("guided", PROMPT_OF, { pairs: PROMPT_OF.map((_, i) => `x${i}`) })];
    expect(rowsOf(attribute, strangers).rows[0]!.comparisons).toEqual([undefined, undefined]);
    const [alone] = rowsOf(attributeOf([LABELS.base]), [two[0]!]).rows;
    expect(alone!.comparisons).toEqual([undefined]);
    expect(alone!.values).toHaveLength(1);
  });

  it("takes models with different numbers of images", () => {
    const models = [two[0]!, modelOf("guided", [0, 1, 1])];
    const { rows } = rowsOf(attributeOf([LABELS.base, [1, 0, 1]]), models);
    expect(rows[0]!.values.map((own) => own!.value)).toEqual([0.75, 0.5]);
    expect(rows[0]!.comparisons).toEqual([undefined, undefined]);
  });

  it("corrects for the classifier's mistakes", () => {
    // Right for 80 % of water and 90 % of land: of the shares (q, 1 - q) the true one is (q - 0.1) / 0.7.
    const confusion = [
      [16, 4],
      [2, 18],
    ];
    const { rows, cautions } = rowsOf(attributeOf([LABELS.base, LABELS.guided], { confusion }));
    const row = rows[2]!;
    const truth = (q: number) => Math.min(1, (q - 0.1) / 0.7);
    const biasOf = (q: number) => Math.abs(2 * truth(q) - 1);
    const expected = [
      [biasOf(1), biasOf(0.75)],
      [biasOf(0.5), biasOf(0.75)],
    ];
    expected.forEach((own, m) => {
      own.forEach((value, p) => expect(row.perPrompt![p]![m]!.value).toBeCloseTo(value, 12));
      expect(row.values[m]!.value).toBeCloseTo((own[0]! + own[1]!) / 2, 12);
    });
    expect(row.values).toEqual(
      [COUNTS.base, COUNTS.guided].map((own) => correctedBias(own, confusion, options).overall),
    );
    expect(row.skipped).toBeUndefined();
    expect(cautions).toEqual([]);
  });

  it("says when the classifier is too poor for a correction", () => {
    const confusion = [
      [12, 8],
      [9, 11],
    ];
    const { cautions } = rowsOf(attributeOf([LABELS.base, LABELS.guided], { confusion }));
    expect(cautions).toEqual([correctedBias(COUNTS.base, confusion, options).caution]);
    expect(cautions[0]).toContain("0.60, 0.55 only");
  });

  it("leaves the correction out where the mistakes are not known, and says why", () => {
    const [, , row] = rowsOf(attributeOf([LABELS.base, LABELS.guided])).rows;
    expect(row).toMatchObject({
      key: "biasCorrected",
      values: [],
      skipped: { reason: "Nobody has measured what the classifier of place mistakes." },
    });
    // No held-out image of "land": nothing is known of what is predicted for it.
    const unseen = [
      [20, 1],
      [0, 0],
    ];
    const { rows } = rowsOf(attributeOf([LABELS.base, LABELS.guided], { confusion: unseen }));
    expect(rows[2]!.values).toEqual([]);
    expect(rows[2]!.skipped!.reason).toBe(
      "No held-out image shows land: what the classifier of place makes of it is not known.",
    );
  });

  it("names the rows of a further attribute after it", () => {
    const { rows } = rowsOf(attributeOf([LABELS.base, LABELS.guided]), two, true);
    expect(rows.map(({ key }) => key)).toEqual(["bias:place", "biasRaw:place", "biasCorrected:place"]);
    expect(rows.map(({ label }) => label.endsWith("(place)"))).toEqual([true, true, true]);
  });
});
