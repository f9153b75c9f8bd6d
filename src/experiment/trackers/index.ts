// Trackers: metrics.jsonl always, TensorBoard and MLflow when asked for; and run.json, which says what a run is.
export { describeRun, readRun, RUN_FILE } from "./describe-run.ts";
export type { RunDescription, RunFacts, RunRecord } from "./describe-run.ts";
export { METRICS_FILE, TIMING_FILE } from "./jsonl.ts";
export { openTrackers } from "./open.ts";
export type { TrackerOptions } from "./open.ts";
export type { RunOutcome, TrackedRun, Tracker } from "./tracker.ts";
