// Metrics: pure functions of arrays and tensors, no files.
export { accuracy, confusionMatrix } from "./accuracy.ts";
export { groupPurity, labellingPrecisionRecall, rocAuc } from "./auc.ts";
export type { GroupPurity } from "./auc.ts";
export { bias, biasFromPredictions, normalisedBias, promptBias } from "./bias.ts";
export type { BiasReport } from "./bias.ts";
export { biasEstimate, bootstrapInterval, quantileOfSorted, shareEstimate } from "./bootstrap.ts";
export type { BiasEstimate, BootstrapOptions, Estimate, Interval } from "./bootstrap.ts";
export { clipScore, clipScores } from "./clip-score.ts";
export { countLabels, crossTable } from "./counts.ts";
export { fastRandom } from "./fast-random.ts";
export { frechetDistance } from "./fid.ts";
export { improvedPrecisionRecall } from "./precision-recall.ts";
export type { PrecisionRecall } from "./precision-recall.ts";
