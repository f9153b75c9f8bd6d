// Files exactly as the reference implementation writes them (pickle.dump of tensors, torch.save old and new) and their contents.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  readSafetensors,
  readTorchFile,
  readTorchStateDict,
  type TorchValue,
} from "../../src/checkpoint/index.ts";
import { Tensor } from "../../src/torch/index.ts";
import { golden } from "../golden-dir.ts";
import { within } from "./within.ts";

const tensors = readSafetensors(golden("reference-files.safetensors"));
const { index2index } = JSON.parse(readFileSync(golden("reference-files.json"), "utf8")) as {
  index2index: Record<string, number>;
};
const read = (name: string) => readTorchFile(golden(`reference-files/${name}`));

/** Asserts the same dtype, shape and bits; the recorded error counts the elements that differ. */
function same(file: string, key: string, actual: TorchValue | undefined): void {
  const expected = tensors.get(key)!;
  expect(actual, key).toBeInstanceOf(Tensor);
  const value = actual as Tensor;
  expect([value.dtype, [...value.shape]], key).toEqual([expected.dtype, [...expected.shape]]);
  const [given, wanted] = [value.toArray(), expected.toArray()];
  const different = Array.from(wanted as ArrayLike<number | bigint>).filter(
    (number, i) => !Object.is(number, given[i]),
  );
  within(`reference-files: ${file}`, key, different.length, 0);
}

const keysBelow = (prefix: string) =>
  [...tensors.keys()]
    .filter((key) => key.startsWith(`${prefix}.`))
    .map((key) => key.slice(prefix.length + 1));

describe("the reference's files", () => {
  it("group weights: one pickled tensor", () => {
    same("weights_t_g8_w0.pkl", "weights", read("weights_t_g8_w0.pkl"));
  });

  it("index to index: a pickled dict of whole numbers", () => {
    const value = read("index2index.pkl") as Map<TorchValue, TorchValue>;
    const given = new Map(Object.entries(index2index).map(([key, index]) => [Number(key), index]));
    const different = [...given].filter(([key, index]) => value.get(key) !== index);
    within("reference-files: index2index.pkl", "entries", different.length + value.size - given.size, 0);
  });

  it.each(["model.pth", "model-legacy.pth"])("classifier %s: a state dict", (name) => {
    const state = readTorchStateDict(golden(`reference-files/${name}`));
    expect([...state.keys()].sort()).toEqual(keysBelow("model").sort());
    for (const [key, value] of state) same(name, `model.${key}`, value);
    expect((read(name) as Map<TorchValue, TorchValue>).size).toBe(state.size);
  });

  it("samples: a pickled dict of lists of tensors", () => {
    const value = read("samples_t.pkl") as Map<string, readonly TorchValue[]>;
    const keys = [...value].flatMap(([key, items]) => items.map((_, index) => `${key}.${index}`));
    expect(keys.sort()).toEqual(keysBelow("samples").sort());
    for (const [key, items] of value)
      items.forEach((item, index) => same("samples_t.pkl", `samples.${key}.${index}`, item));
  });
});
