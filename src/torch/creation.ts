// Creation functions whose convenient form differs from the operator's schema.
import type { Device, DType } from "./dtype.ts";
import { arangeStep } from "./ops.generated.ts";
import type { Tensor } from "./tensor.ts";

/** [start, end) in steps; with one number, [0, end). int64 by default if all are whole numbers, as in Python. */
export function arange(
  startOrEnd: number,
  end?: number,
  step = 1,
  options: { dtype?: DType; device?: Device } = {},
): Tensor {
  return end === undefined
    ? arangeStep(0, startOrEnd, step, options)
    : arangeStep(startOrEnd, end, step, options);
}
