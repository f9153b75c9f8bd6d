/** Ratios of groups: how they are written, and the largest set that has exactly one. */
import { ConfigError, DataError } from "../../torch/errors.ts";

/** Parts of each group, in lowest terms; undefined: all images as they are. */
export type Ratio = readonly number[] | undefined;

/**
 * Reads "as-is", "balanced", or one whole number for each group: "1:2:2:1", "1_2_2_1", "1,2,2,1", or digits alone ("1221").
 * Errors: ConfigError that names the groups in their order.
 */
export function parseRatio(text: string, groups: readonly string[]): Ratio {
  const plain = text.trim().toLowerCase();
  if (plain === "as-is") return undefined;
  if (plain === "balanced") return groups.map(() => 1);
  const parts = /^\d+$/.test(plain) ? [...plain] : plain.split(/\s*[:_,;/\s-]\s*/);
  const numbers = parts.map((part) => (/^\d{1,6}$/.test(part) ? Number(part) : Number.NaN));
  if (numbers.length !== groups.length || numbers.some(Number.isNaN) || numbers.every((n) => n === 0))
    throw new ConfigError(
      `The ratio is "${text}"; expected as-is, balanced, or ${groups.length} whole numbers such as ` +
        `${groups.map((_, i) => (i % 2) + 1).join(":")} for ${groups.join("; ")}.`,
    );
  const divisor = numbers.reduce(greatestDivisor);
  return numbers.map((n) => n / divisor);
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));

export const ratioText = (ratio: Ratio): string => ratio?.join(":") ?? "as-is";

export interface CountsOptions {
  readonly groups: readonly string[];
  /** At most so many images altogether. */
  readonly limit?: number | undefined;
  /** Such as "train", for error messages. */
  readonly split: string;
}

/**
 * Images to take of each group: the largest whole multiple of the ratio that `available` and `limit` allow.
 * Errors: DataError that names every group with too few images; ConfigError for a limit below one multiple.
 */
export function largestCounts(
  available: readonly number[],
  ratio: readonly number[],
  { groups, limit = Infinity, split }: CountsOptions,
): number[] {
  const short = ratio.flatMap((part, g) =>
    available[g]! < part ? [`${groups[g]} (needs ${part}, has ${available[g]})`] : [],
  );
  if (short.length > 0)
    throw new DataError(
      `The ratio ${ratioText(ratio)} cannot be built for ${split}: too few images of ${short.join("; ")}. ` +
        `Choose another ratio, or as-is.`,
    );
  const sum = ratio.reduce((total, part) => total + part, 0);
  if (limit < sum)
    throw new ConfigError(
      `${limit} images were asked for in ${split}; the ratio ${ratioText(ratio)} needs at least ${sum}.`,
    );
  const possible = ratio.map((part, g) => (part === 0 ? Infinity : Math.floor(available[g]! / part)));
  const multiple = Math.min(...possible, Math.floor(limit / sum));
  return ratio.map((part) => part * multiple);
}
