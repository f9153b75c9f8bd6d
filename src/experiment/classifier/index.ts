// Attribute classifiers: trained on any label column, opened for the evaluation.
export type { ClassifierFile, SplitMetrics } from "./classifier-file.ts";
export { openClassifier } from "./open-classifier.ts";
export type {
  AttributeClassifier,
  Classified,
  OpenClassifierOptions,
  ReportedMetrics,
} from "./open-classifier.ts";
export { trainClassifierRequest, trainClassifierSchema } from "./request.ts";
export type { TrainClassifierRequest } from "./request.ts";
export type { EpochRecord } from "./train.ts";
export { trainClassifier } from "./train-classifier.ts";
export type { ClassifierPlan, TrainClassifierOptions, TrainClassifierResult } from "./train-classifier.ts";
