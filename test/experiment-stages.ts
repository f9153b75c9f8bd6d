// Small stages for tests of the runner and of the command line.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Stage, StageContext } from "../src/experiment/stage.ts";

export interface ToyStageOptions {
  needs?: string[];
  inputs?: Record<string, unknown>;
  /** Called before each of the `steps`. */
  onStep?: (step: number, context: StageContext) => void | Promise<void>;
  steps?: number;
}

/** A stage that counts to `steps`, keeps its place in count.txt and resumes from there. */
export function toyStage(
  name: string,
  options: ToyStageOptions = {},
): Stage & { runs: number; firstStep: number } {
  const { needs = [], inputs = {}, onStep, steps = 3 } = options;
  const stage = {
    name,
    needs,
    runs: 0,
    firstStep: -1,
    inputs: () => inputs,
    async run(context: StageContext) {
      stage.runs++;
      const file = join(context.dir, "count.txt");
      const first = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
      stage.firstStep = first;
      for (let step = first; step < steps; step++) {
        writeFileSync(file, String(step));
        await onStep?.(step, context);
        context.signal.throwIfAborted();
        context.progress({ task: "counting", done: step + 1, total: steps });
      }
      writeFileSync(join(context.dir, "result.txt"), JSON.stringify(inputs));
      return { steps };
    },
  };
  return stage;
}
