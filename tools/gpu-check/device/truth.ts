// Statements that hold or do not, as comparisons that must be exact.
import { scope, type Tensor } from "../../../src/torch/index.ts";
import type { Checks } from "../parity/checks.ts";

/** Records that a statement holds. */
export const holds = ({ within }: Checks, row: string, at: string, statement: boolean): void =>
  within(row, at, statement ? 0 : 1, 0);

/** How many elements of two tensors differ; on whichever devices they are. */
export const differing = (a: Tensor, b: Tensor): number =>
  scope(() => {
    if (a.shape.join() !== b.shape.join()) return NaN;
    return a.to("cpu").ne(b.to("cpu")).sum().item();
  });
