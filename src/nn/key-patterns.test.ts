import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyErrors } from "./key-errors.ts";
import { keyPatterns } from "./key-patterns.ts";

/** All keys that a pattern stands for. */
function expand(pattern: string): string[] {
  const braces = /\{([^{}]*)\}/.exec(pattern);
  if (braces === null) return [pattern];
  const [before, after] = [pattern.slice(0, braces.index), pattern.slice(braces.index + braces[0].length)];
  const names = braces[1]!.split(",").flatMap((name) => {
    const range = /^(\d+)\.\.(\d+)$/.exec(name);
    if (range === null) return [name];
    const [first, last] = [Number(range[1]), Number(range[2])];
    return Array.from({ length: last - first + 1 }, (_, i) => String(first + i));
  });
  return names.flatMap((name) => expand(`${before}${name}${after}`));
}

describe("patterns of keys", () => {
  it("are the braces of the shell", () => {
    const keys = ["a", "b"].flatMap((name) => [0, 1, 2, 3, 5].map((i) => `blocks.${i}.${name}.weight`));
    expect(keyPatterns([...keys, "conv_in.bias", "blocks.9.c"])).toEqual([
      "blocks.{0..3,5}.{a,b}.weight",
      "blocks.9.c",
      "conv_in.bias",
    ]);
  });

  it("stand for exactly the keys given, whatever they are", () => {
    const name = fc.constantFrom("a", "b", "conv", "0", "1", "2", "3", "7", "10", "01");
    const key = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join("."));
    fc.assert(
      fc.property(fc.uniqueArray(key, { maxLength: 60 }), (keys) => {
        const expanded = keyPatterns(keys).flatMap(expand);
        expect(expanded.sort()).toEqual([...keys].sort());
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});

describe("the message about keys", () => {
  const many = (count: number, what = "") =>
    Array.from({ length: count }, (_, i) => `layers.${i}.weight${what}`);

  it("lists few keys one by one", () => {
    const message = keyErrors({ missing: many(20), unexpected: [], mismatched: [] })!;
    expect(message).toContain(
      "20 missing keys (the model needs them):\n  layers.0.weight\n  layers.1.weight\n",
    );
  });

  it("lists many keys as patterns, those of the same trouble together", () => {
    const mismatched = [...many(30, ": [4] given, [5] expected"), "out.bias: [1] given, [2] expected"];
    const message = keyErrors({ missing: [], unexpected: many(300), mismatched })!;
    expect(message).toMatch(/300 unexpected keys .*one key each:\n {2}layers\.\{0\.\.299\}\.weight\n/);
    expect(message).toContain(
      "  layers.{0..29}.weight: [4] given, [5] expected\n  out.bias: [1] given, [2] expected\n",
    );
  });

  it("is none when all fits", () => {
    expect(keyErrors({ missing: [], unexpected: [], mismatched: [] })).toBeUndefined();
  });
});
