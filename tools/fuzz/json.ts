// Damage to JSON: values of other types, huge numbers, deep nesting, keys gone or new.
import { type Mutate, mutateBytes } from "./bytes.ts";
import type { Random } from "./random.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Stands for nesting that JSON.stringify could not write. */
const DEEP = "\u0001deep";
const DEEP_LIST = /"\\u0001deep(\d+)"/g;

const NUMBERS = [
  0,
  -1,
  1,
  1.5,
  2,
  3,
  16,
  17,
  1000,
  65536,
  65537,
  1e6,
  2 ** 31,
  2 ** 53,
  1e300,
  -1e300,
  1e-300,
];
const TEXTS = ["", "x", "__proto__", "constructor", "epsilon", "\u0000", "a".repeat(5000), "NaN", "ключ"];
const KEYS = ["__proto__", "constructor", "toString", "length", "_class_name", "unknown_option", ""];

function anyValue(random: Random): Json {
  const makers: (() => Json)[] = [
    () => null,
    () => random.chance(0.5),
    () => random.pick(NUMBERS),
    () => random.pick(TEXTS),
    () => [],
    () => ({}),
    () => Array.from({ length: random.int(40) }, () => random.pick(NUMBERS)),
    () => [random.pick(TEXTS), random.pick(TEXTS)],
    () => ({ [random.pick(KEYS)]: random.pick(NUMBERS) }),
    () => `${DEEP}${random.pick([2, 100, 5000, 100_000])}`,
  ];
  return random.pick(makers)();
}

/** Every object and list of a tree. */
function containers(value: Json, found: (Json[] | { [key: string]: Json })[] = []) {
  if (typeof value !== "object" || value === null) return found;
  found.push(value);
  for (const child of Object.values(value)) containers(child, found);
  return found;
}

function changeValue(value: Json, random: Random): Json {
  if (typeof value === "number" && random.chance(0.5))
    return random.pick([-value, value * 10, value + 1, value / 2, value * 1e9, String(value), [value]]);
  if (Array.isArray(value) && random.chance(0.5))
    return random.pick<Json>([
      value.slice(1),
      [...value, ...value],
      value[0] ?? null,
      [value],
      [...value, null],
    ]);
  return random.chance(0.2) ? [value] : anyValue(random);
}

function changeOnce(root: Json, random: Random): void {
  const target = random.pick(containers(root));
  const keys = Object.keys(target);
  if (Array.isArray(target) && keys.length === 0) return void target.push(anyValue(random));
  const old = keys.length > 0 && (Array.isArray(target) || random.chance(0.9));
  const key = old ? random.pick(keys) : random.pick(KEYS);
  const entries = target as { [key: string]: Json };
  if (random.chance(0.15)) delete entries[key];
  else {
    // Not an assignment: "__proto__" has to become a key like any other.
    const value = changeValue(Object.hasOwn(entries, key) ? entries[key]! : null, random);
    Object.defineProperty(entries, key, { value, enumerable: true, configurable: true, writable: true });
  }
}

/** A JSON text with a few values changed, or with bytes of the text changed. */
export const mutateJson: Mutate = (bytes, random) => {
  if (random.chance(0.15)) return mutateBytes(bytes, random);
  let root = JSON.parse(bytes.toString()) as Json;
  if (random.chance(0.02)) root = anyValue(random);
  else for (let i = random.int(4); i >= 0; i--) changeOnce(root, random);
  const text = JSON.stringify(root).replace(DEEP_LIST, (_, depth: string) => {
    const count = Number(depth);
    return "[".repeat(count) + "]".repeat(count);
  });
  const twice = random.chance(0.03) ? text.replace(/^\{("[^"\\]*":)/, "{$10,$1") : text;
  return Buffer.from(twice);
};
