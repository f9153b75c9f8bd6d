// Groups by a value that every image has: one group for each, weights 0 and 1.
import { DataError } from "../../torch/index.ts";
import { listed } from "./listed.ts";
import type { GivenGroups } from "./reference-grouper.ts";

/** More groups than this leave no batch in which two of them meet. */
const MAX_GROUPS = 64;

export interface HardGroups extends GivenGroups {
  /** The value of each group. */
  readonly labels: readonly string[];
}

/**
 * One group per distinct value, in the order of numbers if all are numbers, else alphabetically.
 * Errors: DataError for fewer than 2 or more than 64 values; `name` is what has them.
 */
export function hardGroups(
  ids: readonly string[],
  values: readonly (string | number)[],
  { name = "The column" }: { readonly name?: string } = {},
): HardGroups {
  const texts = values.map(String);
  const labels = [...new Set(texts)];
  const areNumbers = labels.every((label) => label.trim() !== "" && Number.isFinite(Number(label)));
  labels.sort((a, b) => (areNumbers ? Number(a) - Number(b) : 0) || (a < b ? -1 : 1));
  const count = labels.length;
  if (count < 2 || count > MAX_GROUPS)
    throw new DataError(
      `${name} has ${count === 1 ? "one value" : `${count} different values`} among ${ids.length} images: ${listed(labels)}. Expected 2 to ${MAX_GROUPS}, each of which becomes a group; choose another column.`,
    );
  const groupOf = new Map(labels.map((label, g) => [label, g]));
  const weights = new Float32Array(ids.length * count);
  texts.forEach((text, row) => (weights[row * count + groupOf.get(text)!] = 1));
  return { ids, weights, count, labels };
}
