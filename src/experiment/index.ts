// Experiments: configuration, stages, runner. Importing this does not load the engine; running does.
export { ConfigError, InvDiffError, UserError } from "./errors.ts";
export {
  configToYaml,
  defaultConfig,
  imagesPerPrompt,
  modelFolderOf,
  parseConfig,
  resolveGroups,
  resolveModule,
  resolveUnet,
} from "./config.ts";
export type { ExperimentConfig } from "./config.ts";
export { loadConfig, parseOverride } from "./config-file.ts";
export type { ConfigOverride, LoadConfigOptions } from "./config-file.ts";
export { experimentSchema } from "./config-schema.ts";
export type { TrainingConfig } from "./config-schema.ts";
export { compareSamples } from "./compare.ts";
export type { ComparisonContext, ComparisonRequest } from "./compare.ts";
export { finetune, inferGroups, train } from "./calls.ts";
export type { Call, CallOptions } from "./calls.ts";
export { openClassifier, trainClassifier } from "./classifier/calls.ts";
export { trainClassifierRequest, trainClassifierSchema } from "./classifier/request.ts";
export type { TrainClassifierRequest } from "./classifier/request.ts";
export type {
  AttributeClassifier,
  Classified,
  ClassifierFile,
  TrainClassifierOptions,
  TrainClassifierResult,
} from "./classifier/index.ts";
export { bytesText, freeDiskBytes } from "./disk-full.ts";
export { doctor } from "./doctor.ts";
export type { DoctorFact, DoctorOptions, DoctorReport } from "./doctor.ts";
export { EXPORT_FORMS, exportRun } from "./export/index.ts";
export type { ExportForm, ExportRequest, ExportResult } from "./export/index.ts";
export { runExperiment } from "./experiment.ts";
export type { ExperimentOptions } from "./experiment.ts";
export { canonicalJson, hashFile, hashFolder, hashJson } from "./hash.ts";
export { asHubName, hubNames, hubOverrides } from "./hub-names.ts";
export type { HubNameOptions } from "./hub-names.ts";
export { INTERRUPTED_EXIT_CODE, InterruptedError, listenForInterrupts } from "./interrupt.ts";
export type { Interrupts } from "./interrupt.ts";
export { MANIFEST, readManifest, writeManifest } from "./manifest.ts";
export type { Manifest } from "./manifest.ts";
export { EXPERIMENT_YAML } from "./out-folder.ts";
export type * from "./report/index.ts";
export { sampleImages } from "./sample.ts";
export { readPrompts } from "./sampling/prompts-file.ts";
export { sampleRequest, sampleRequestSchema } from "./sampling/request.ts";
export type { SampleRequest } from "./sampling/request.ts";
export type { SampleOptions, SampleResult, SamplingPlan } from "./sampling/sample-images.ts";
export { comparisonStageNames } from "./stages/compared-models.ts";
export { ChangedStagesError, runStages, UnfinishedStagesError } from "./runner.ts";
export type { RunOptions, RunResult, StageEvent } from "./runner.ts";
export type { Progress, Stage, StageContext } from "./stage.ts";
export { differences, planStages } from "./stage-plan.ts";
export type { PlannedStage, StageState } from "./stage-plan.ts";
export { suggest } from "./suggest.ts";
export { resolveThreads } from "./threads.ts";
export { packageVersion } from "./versions.ts";
