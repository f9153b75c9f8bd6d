// Metrics: pure functions of arrays and tensors, no files.
export { accuracy, confusionMatrix } from "./accuracy.ts";
export { groupPurity, labellingPrecisionRecall, rocAuc } from "./auc.ts";
export type { GroupPurity } from "./auc.ts";
export { bias, biasFromPredictions, normalisedBias, promptBias } from "./bias.ts";
export type { BiasReport } from "./bias.ts";
export { biasEstimate } from "./bias-estimate.ts";
export type { BiasEstimate, PromptEstimates } from "./bias-estimate.ts";
export { biasFloor } from "./bias-floor.ts";
export type { BiasFloor, BiasFloorOptions } from "./bias-floor.ts";
export {
  bootstrapInterval,
  meanEstimate,
  meanInterval,
  quantileOfSorted,
  shareEstimate,
} from "./bootstrap.ts";
export type { BootstrapOptions, Estimate, Interval, ResamplingOptions } from "./bootstrap.ts";
export { bimodality, BIMODALITY_THRESHOLD, meanVariance } from "./bimodality.ts";
export { captionBuckets, standardise } from "./buckets.ts";
export { classificationReport } from "./classification-report.ts";
export type { ClassificationReport, PrecisionRecallF1 } from "./classification-report.ts";
export { clipScore, clipScores } from "./clip-score.ts";
export { correctedBias } from "./corrected-bias.ts";
export type { CorrectedBias } from "./corrected-bias.ts";
export { correctedShares } from "./corrected-shares.ts";
export { countLabels, crossTable, largestInRows } from "./counts.ts";
export { densityCoverage } from "./density-coverage.ts";
export type { DensityCoverage } from "./density-coverage.ts";
export { diversityEstimate, imagePairs } from "./diversity.ts";
export type { DiversityEstimate } from "./diversity.ts";
export { fastRandom } from "./fast-random.ts";
export * from "./feature-networks/index.ts";
export { frechetDistance } from "./fid.ts";
export { frechetEstimate } from "./fid-estimate.ts";
export type { InfluenceEstimate } from "./fid-estimate.ts";
export { combineAttributes, matchAttributes } from "./hidden-attributes.ts";
export type { HiddenAttribute } from "./hidden-attributes.ts";
export { kernelDistance, kernelDistanceOfSubsets, kernelEstimate } from "./kid.ts";
export type { SubsetDistance } from "./kid.ts";
export { fitMixture } from "./mixture.ts";
export type { Mixture } from "./mixture.ts";
export { featureMoments, MomentsAccumulator } from "./moments.ts";
export type { FeatureMoments, FeatureSet } from "./moments.ts";
export { pairedInfluence, pairedMeans, pairedReplicates } from "./paired.ts";
export type { Comparison } from "./paired.ts";
export { pairedBias } from "./paired-bias.ts";
export type { BiasComparison } from "./paired-bias.ts";
export { findPopulations } from "./populations.ts";
export type { Population, PopulationOptions } from "./populations.ts";
export { improvedPrecisionRecall } from "./precision-recall.ts";
export type { PrecisionRecall } from "./precision-recall.ts";
export { precisionRecallEstimate } from "./precision-recall-estimate.ts";
export type {
  PrecisionRecallEstimate,
  PrecisionRecallOptions,
  ReplicateEstimate,
} from "./precision-recall-estimate.ts";
export { spreadGroups } from "./spread.ts";
export type { SpreadOptions } from "./spread.ts";
export { trustWarnings } from "./trust-warnings.ts";
export type { Evaluated } from "./trust-warnings.ts";
