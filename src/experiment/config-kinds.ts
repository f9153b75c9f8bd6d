// Kinds of values in the configuration. Every message is the text after "expected": what a right value looks like.
import { z } from "zod";

const bounds = (min: number, max: number) =>
  max === Infinity ? `of at least ${min}` : `from ${min} to ${max}`;

export const int = (min: number, max = Infinity) => {
  const text = `a whole number ${bounds(min, max)}`;
  const base = z.int(text).min(min, text);
  return max === Infinity ? base : base.max(max, text);
};

export const number = (min: number, max = Infinity) => {
  const text = `a number ${bounds(min, max)}`;
  const base = z.number(text).min(min, text);
  return max === Infinity ? base : base.max(max, text);
};

export const positive = () => z.number("a number above 0").positive("a number above 0");
export const text = () => z.string("text").min(1, "text that is not empty");
export const flag = () => z.boolean("true or false");
export const choice = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, values.length === 1 ? `"${values[0]}"` : `one of ${values.join(", ")}`);

export const section = <T extends z.ZodRawShape>(shape: T) =>
  z.strictObject(shape, {
    error: (issue) => (issue.code === "invalid_type" ? "a section with keys of its own" : undefined),
  });

export const texts = (what: string) => z.array(text(), `a list of ${what}`).min(1, `at least one of ${what}`);

/** A schema without its default or "optional" wrapper. */
export function unwrap(schema: unknown): unknown {
  let inner = schema;
  while (inner instanceof z.ZodPrefault || inner instanceof z.ZodDefault || inner instanceof z.ZodOptional)
    inner = inner.def.innerType;
  return inner;
}
