/** What the values of configuration options must be: a test and its words for messages. */

export interface Kind {
  /** Such as "a whole number from 1 to 64". */
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

/** Published networks have 1 to 4 levels; longer lists are mistakes. */
const MAX_LEVELS = 16;
/** Far above every published model, far below what exhausts memory by itself. */
const MAX_SIZE = 65_536;

export const flag: Kind = { expected: "true or false", accepts: (value) => typeof value === "boolean" };
export const text: Kind = { expected: "a text", accepts: (value) => typeof value === "string" };
export const nothing: Kind = { expected: "null", accepts: (value) => value === null };

/** A whole number between two bounds, both included. */
export const whole = (min: number, max: number): Kind => ({
  expected: `a whole number from ${min} to ${max}`,
  accepts: (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
});

/** Channels, widths, pixels, numbers of tokens. */
export const size = whole(1, MAX_SIZE);
/** How often a layer is repeated. */
export const repeats = whole(1, 128);
/** Kernel of a convolution that keeps height and width. */
export const kernel: Kind = {
  expected: "an odd whole number from 1 to 31",
  accepts: (value) => whole(1, 31).accepts(value) && (value as number) % 2 === 1,
};

const finite: Kind = { expected: "a number", accepts: Number.isFinite };
export const positive: Kind = {
  expected: "a number above 0",
  accepts: (value) => Number.isFinite(value) && (value as number) > 0,
};
export const notNegative: Kind = {
  expected: "a number of at least 0",
  accepts: (value) => Number.isFinite(value) && (value as number) >= 0,
};

/** One of the given texts. */
export const among = (...values: readonly string[]): Kind => ({
  expected: values.map((value) => `"${value}"`).join(" or "),
  accepts: (value) => (values as readonly unknown[]).includes(value),
});

export const either = (...kinds: readonly Kind[]): Kind => ({
  expected: kinds.map(({ expected }) => expected).join(" or "),
  accepts: (value) => kinds.some((kind) => kind.accepts(value)),
});

export const listOf = (kind: Kind, min = 1, max = MAX_LEVELS): Kind => ({
  expected: `a list of ${min === max ? min : `${min} to ${max}`} values, each ${kind.expected}`,
  accepts: (value) =>
    Array.isArray(value) && value.length >= min && value.length <= max && value.every(kind.accepts),
});

/** One value for all levels, or a list with one for each. */
export const everyLevel = (kind: Kind): Kind => either(kind, listOf(kind));

/** Height and width: one number for both, or a list of the two. */
export const sizes = either(size, listOf(size, 2, 2));

/** The kind that a default value shows: whole numbers are sizes, other numbers any number, lists lists of the same. */
export function kindOf(value: unknown): Kind {
  if (typeof value === "boolean") return flag;
  if (typeof value === "string") return text;
  if (typeof value === "number") return Number.isInteger(value) ? size : finite;
  if (Array.isArray(value)) return listOf(kindOf(value[0]));
  throw new TypeError(`no kind follows from the default value ${String(value)}: name one`);
}
