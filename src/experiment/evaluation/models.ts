// The models of a comparison: whose images they are, for which prompts, and which images of two models belong together.
import type { Estimate } from "../../metrics/index.ts";
import type { Measured, ReportComparison } from "../report/index.ts";
import type { StageContext } from "../stage.ts";
import type { ImageSet } from "./image-set.ts";

/** Who stops the work, who is told. */
export type WorkContext = Partial<Pick<StageContext, "signal" | "progress">>;

export interface JudgedModel {
  readonly key: string;
  readonly label: string;
  readonly description: string;
  readonly images: ImageSet;
  /** Index of each image's prompt, [N], ascending. */
  readonly promptOf: Int32Array;
  /** Equal for the images of two models that were made from one seed for one prompt, [N]. */
  readonly pairs: readonly string[];
}

/** Model that the others are compared with: "base", or else the first. */
export const baseIndex = (models: readonly Pick<JudgedModel, "key">[]): number =>
  Math.max(
    0,
    models.findIndex(({ key }) => key === "base"),
  );

/** What a table keeps of an estimate. */
export const measured = ({ value, interval }: Estimate): Measured => ({ value, interval });

/** Whether every image of one model has its partner at the same place of the other. */
export const arePaired = (a: JudgedModel, b: JudgedModel): boolean =>
  a.pairs.length === b.pairs.length &&
  a.pairs.every((pair, i) => pair === b.pairs[i]! && a.promptOf[i] === b.promptOf[i]);

/** Images of each prompt that has any: the strata of every resampling. */
export function strataOf({ promptOf }: Pick<JudgedModel, "promptOf">, prompts: number): number[] {
  const sizes = new Array<number>(prompts).fill(0);
  for (const prompt of promptOf) sizes[prompt]!++;
  return sizes.filter((size) => size > 0);
}

/** Comparisons of all models with the base, where they are paired and `compare` has something to say. */
export function comparisonsWithBase(
  models: readonly JudgedModel[],
  compare: (base: number, model: number) => ReportComparison | undefined,
): (ReportComparison | undefined)[] {
  const base = baseIndex(models);
  return models.map((model, i) =>
    i !== base && arePaired(models[base]!, model) ? compare(base, i) : undefined,
  );
}
