// What the parts of the coming steps consist of: drawn ahead, while the batches themselves stay at the step in training.
import { type BatchPlan, type BatchState, planBatch, stepGenerator } from "../../data/index.ts";
import type { InputOptions } from "./training-input.ts";

/** One part of a step, before it is read. */
export interface PartPlan extends BatchPlan {
  readonly step: number;
  readonly part: number;
  readonly rows: Int32Array;
  readonly stepRows: Int32Array;
  /** Where the batches stood before the step, and stand after it. */
  readonly position: BatchState;
  readonly after: BatchState;
}

/** The parts of steps first..last-1 in order. `batches` is put back to where it stood after each draw. */
export function* partPlans({
  set,
  batches,
  draw,
  seed,
  accumulation = 1,
  first,
  last,
}: InputOptions): Generator<PartPlan, void, undefined> {
  let ahead = batches.state();
  for (let step = first; step < last; step++) {
    const position = ahead;
    const shown = batches.state();
    const { value: stepRows } = batches.restore(position).next();
    ahead = batches.state();
    batches.restore(shown);
    const size = stepRows.length / accumulation;
    for (let part = 0; part < accumulation; part++) {
      const rows = stepRows.subarray(part * size, (part + 1) * size);
      const plan = planBatch(set, rows, stepGenerator(seed, step * accumulation + part), draw);
      yield { ...plan, step, part, rows, stepRows, position, after: ahead };
    }
  }
}
