// The runs of a pipeline golden.
import { readFileSync } from "node:fs";
import { golden } from "./golden-dir.ts";

export interface PipelineRun {
  key: string;
  scheduler: string;
  steps: number;
  guidance_scale: number;
  seeds: number[];
  prompts: string[];
}

export const pipelineRuns = (kind: string): PipelineRun[] =>
  JSON.parse(readFileSync(golden(`pipeline-${kind}.json`), "utf8")) as PipelineRun[];
