// The files of golden/torch-files/ (tools/golden/torch-files.py) and what they hold.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readSafetensors, type TorchValue } from "../src/checkpoint/index.ts";
import { Tensor } from "../src/torch/index.ts";

const folder = fileURLToPath(new URL("golden/torch-files", import.meta.url));

export const torchFile = (name: string): string => join(folder, name);

/** Names of the files themselves, without what describes them. */
export const torchFileNames = (): string[] =>
  readdirSync(folder).filter((name) => !name.startsWith("expected."));

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const expected = JSON.parse(readFileSync(torchFile("expected.json"), "utf8")) as Record<string, Json>;
const expectedTensors = readSafetensors(torchFile("expected.safetensors"));

/** A tensor as comparable data. */
const comparable = (tensor: Tensor) => ({
  dtype: tensor.dtype,
  shape: [...tensor.shape],
  values: Array.from(tensor.toArray() as Iterable<number | bigint>),
});

/** What a file holds by Python's account, in the form of `asComparable`. */
export function expectedContent(name: string): unknown {
  const value = expected[name] as { $same?: string } | undefined;
  return revive(value?.$same === undefined ? expected[name]! : expected[value.$same]!);
}

function revive(json: Json): unknown {
  if (json === null || typeof json !== "object") return json;
  if (Array.isArray(json)) return (json as readonly Json[]).map(revive);
  const { $tensor, $map, $set, $bytes, $int, $float } = json as Record<string, Json | undefined>;
  if (typeof $tensor === "string") return comparable(expectedTensors.get($tensor)!);
  if (Array.isArray($map)) return { map: $map.map(revive) };
  if (Array.isArray($set)) return { set: $set.map(revive) };
  if (typeof $bytes === "string") return { bytes: $bytes };
  if (typeof $int === "string") return BigInt($int);
  return { nan: NaN, inf: Infinity, "-inf": -Infinity }[$float as string];
}

/** A value read from a file as plain data that `toEqual` compares exactly. */
export function asComparable(value: TorchValue): unknown {
  if (value instanceof Tensor) return comparable(value);
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("hex") };
  if (value instanceof Map)
    return { map: Array.from(value, ([key, item]) => [asComparable(key), asComparable(item)]) };
  if (value instanceof Set) return { set: Array.from(value, asComparable).sort() };
  if (Array.isArray(value)) return (value as readonly TorchValue[]).map(asComparable);
  return value;
}

/** Releases every tensor of a tree. */
export function disposeTree(value: TorchValue): void {
  if (value instanceof Tensor) value.dispose();
  else if (value instanceof Map) for (const item of value.values()) disposeTree(item);
  else if (Array.isArray(value)) for (const item of value as readonly TorchValue[]) disposeTree(item);
}
