// The metrics of given features, counts and labels against torchmetrics, SciPy, scikit-learn and NumPy. Goldens: metrics,
// metric-references.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/checkpoint/index.ts";
import {
  bias,
  classificationReport,
  correctedShares,
  densityCoverage,
  featureMoments,
  frechetDistance,
  frechetEstimate,
  improvedPrecisionRecall,
  kernelDistance,
  kernelEstimate,
  precisionRecallEstimate,
} from "../../src/metrics/index.ts";
import { golden } from "../golden-dir.ts";
import { ownGolden } from "../own-golden.ts";
import { within } from "./within.ts";

interface FeatureGolden {
  k: number;
  fid: number;
  precision: number;
  recall: number;
  kid_unbiased: number;
}

interface BiasGolden {
  counts: number[][];
  bias_scores: number[];
  bias_score: number;
  std_score: number;
}

const { bias: biasCases, ...featureCases } = JSON.parse(
  readFileSync(golden("metrics.json"), "utf8"),
) as Record<string, FeatureGolden> & { bias: BiasGolden[] };
const tensors = readSafetensors(golden("metrics.safetensors"));
const own = ownGolden("metric-references");
afterAll(() => tensors.forEach((tensor) => tensor.dispose()));

const relative = (found: number, expected: number) => Math.abs(found / expected - 1);
const few = { resamples: 10 };

describe.each(Object.entries(featureCases as Record<string, FeatureGolden>))(
  "features, case %s",
  (key, entry) => {
    const [real, fake] = [tensors.get(`${key}.real`)!, tensors.get(`${key}.fake`)!];
    const at = `case ${key}`;

    it("has torchmetrics' Frechet distance, from features and from moments", () => {
      within("metrics: FID", at, relative(frechetDistance(real, fake), entry.fid), 1e-4);
      using moments = featureMoments(real);
      within("metrics: FID", `${at}, moments`, relative(frechetDistance(moments, fake), entry.fid), 1e-4);
      within(
        "metrics: FID",
        `${at}, estimate`,
        relative(frechetEstimate(real, fake, few).value, entry.fid),
        1e-4,
      );
    });

    it("has the unbiased kernel distance", () => {
      const expected = entry.kid_unbiased;
      within("metrics: KID", at, Math.abs(kernelDistance(real, fake) - expected), 1e-6);
      within(
        "metrics: KID",
        `${at}, estimate`,
        Math.abs(kernelEstimate(real, fake, few).value - expected),
        1e-6,
      );
    });

    it("has the precision and recall", () => {
      const found = improvedPrecisionRecall(real, fake, { neighbours: entry.k });
      const estimated = precisionRecallEstimate(real, fake, { neighbours: entry.k, ...few });
      for (const name of ["precision", "recall"] as const) {
        within(`metrics: ${name}`, at, Math.abs(found[name] - entry[name]), 1e-6);
        within(`metrics: ${name}`, `${at}, estimate`, Math.abs(estimated[name].value - entry[name]), 1e-6);
      }
    });
  },
);

it.each(biasCases.map((entry, index) => ({ index, ...entry })))(
  "has the reference's Bias, case $index",
  (entry) => {
    const found = bias(entry.counts);
    const at = `case ${entry.index}`;
    expect(found.biasScores).toHaveLength(entry.bias_scores.length);
    found.biasScores.forEach((score, p) =>
      within("metrics: Bias", `${at}, prompt ${p}`, Math.abs(score - entry.bias_scores[p]!), 1e-12),
    );
    within("metrics: Bias", `${at}, mean`, Math.abs(found.biasScore - entry.bias_score), 1e-12);
    within("metrics: Bias", `${at}, deviation`, Math.abs(found.stdScore - entry.std_score), 1e-12);
  },
);

const fidCases = own.json("fid") as { distance: number; images: [number, number]; dimensions: number }[];

it.each(fidCases.map((entry, index) => ({ index, ...entry })))(
  "has SciPy's Frechet distance: $images images of $dimensions dimensions",
  ({ index, distance, images, dimensions }) => {
    const [real, fake] = [own.get(`fid.${index}.real`), own.get(`fid.${index}.fake`)];
    // Of a singular product SciPy's root has an error of its own.
    const singular = Math.min(...images) <= dimensions;
    const [row, tolerance]: [string, number] = singular
      ? ["metrics: FID by SciPy, singular", 1e-6]
      : ["metrics: FID by SciPy", 1e-9];
    const at = `case ${index}`;
    using a = featureMoments(real);
    using b = featureMoments(fake);
    within(row, at, relative(frechetDistance(real, fake), distance), tolerance);
    within(row, `${at}, moments`, relative(frechetDistance(a, b), distance), tolerance);
    within(row, `${at}, estimate`, relative(frechetEstimate(real, fake, few).value, distance), tolerance);
  },
);

interface ManifoldCase {
  k: number;
  precision: number;
  recall: number;
  density: number;
  coverage: number;
}

it.each((own.json("manifold") as ManifoldCase[]).map((entry, index) => ({ index, ...entry })))(
  "has NumPy's precision, recall, density and coverage, case $index",
  ({ index, k, ...expected }) => {
    const [real, fake] = [own.get(`manifold.${index}.real`), own.get(`manifold.${index}.fake`)];
    const found = {
      ...improvedPrecisionRecall(real, fake, { neighbours: k }),
      ...densityCoverage(real, fake, { neighbours: k }),
    };
    const estimated = precisionRecallEstimate(real, fake, { neighbours: k, densityNeighbours: k, ...few });
    for (const name of ["precision", "recall", "density", "coverage"] as const) {
      within(`metrics: ${name}`, `NumPy, case ${index}`, Math.abs(found[name] - expected[name]), 1e-12);
      const error = Math.abs(estimated[name].value - expected[name]);
      within(`metrics: ${name}`, `NumPy, case ${index}, estimate`, error, 1e-12);
    }
  },
);

interface ReportCase {
  classes: number;
  truth: number[];
  predicted: number[];
  scores: number[];
  accuracy: number;
  confusion: number[][];
  perClass: number[][];
  macro: number[];
  reference: number[];
  referenceAuc: number | null;
  auc: number | null;
}

it.each((own.json("reports") as ReportCase[]).map((entry, index) => ({ index, ...entry })))(
  "has scikit-learn's classification report, case $index",
  ({ index, classes, truth, predicted, scores, ...expected }) => {
    const found = classificationReport(truth, predicted, classes, { scores });
    const numbers = ({ precision, recall, f1 }: { precision: number; recall: number; f1: number }) => [
      precision,
      recall,
      f1,
    ];
    const pairs: [number, number][] = [
      [found.accuracy, expected.accuracy],
      ...found.perClass.flatMap((entry, c) =>
        [...numbers(entry), entry.support].map((x, i): [number, number] => [x, expected.perClass[c]![i]!]),
      ),
      ...numbers(found.macro).map((x, i): [number, number] => [x, expected.macro[i]!]),
      ...numbers(found.reference).map((x, i): [number, number] => [x, expected.reference[i]!]),
      [found.reference.auc ?? -1, expected.referenceAuc ?? -1],
      [found.auc ?? -1, expected.auc ?? -1],
    ];
    expect(found.confusion).toEqual(expected.confusion);
    const worst = Math.max(...pairs.map(([a, b]) => Math.abs(a - b)));
    within("metrics: classification report", `case ${index}`, worst, 1e-12);
  },
);

it.each(
  (own.json("shares") as { counts: number[]; confusion: number[][]; shares: number[] }[]).map(
    (entry, index) => ({
      index,
      ...entry,
    }),
  ),
)("has SciPy's corrected shares, case $index", ({ index, counts, confusion, shares }) => {
  const found = correctedShares(counts, confusion);
  const worst = Math.max(...found.map((share, i) => Math.abs(share - shares[i]!)));
  within("metrics: corrected shares", `case ${index}`, worst, 1e-6);
});
