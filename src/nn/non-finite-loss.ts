/** What a training ends with when its numbers are none any more. */
import { InvDiffError } from "../torch/index.ts";

/** The loss or its gradient is no number any more; the weights are still those of the step before. */
export class NonFiniteLossError extends InvDiffError {
  override readonly kind = "user";
  readonly step: number;
  /** Ids of the images of the step's batches. */
  readonly ids: readonly string[];
  constructor(what: string, step: number, ids: readonly string[]) {
    const some = ids.slice(0, 8).join(", ") + (ids.length > 8 ? `, ... (${ids.length} images)` : "");
    super(
      `The ${what} at step ${step + 1} is not a finite number. Lower the learning rate or use another precision, ` +
        `and look at the images of the batch: ${some}.`,
    );
    this.step = step;
    this.ids = ids;
  }
}
