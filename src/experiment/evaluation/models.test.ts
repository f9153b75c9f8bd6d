import { describe, expect, it } from "vitest";
import { modelOf } from "../../../test/evaluation-parts.ts";
import { arePaired, baseIndex, comparisonsWithBase, strataOf } from "./models.ts";

describe("models of a comparison", () => {
  it("are compared with the base, or else with the first", () => {
    expect(baseIndex([{ key: "guided" }, { key: "base" }])).toBe(1);
    expect(baseIndex([{ key: "a" }, { key: "b" }])).toBe(0);
  });

  it("are pairs only when every image has its partner, for the same prompt, at the same place", () => {
    const base = modelOf("base", [0, 0, 1]);
    expect(arePaired(base, modelOf("other", [0, 0, 1]))).toBe(true);
    expect(arePaired(base, modelOf("other", [0, 1, 1]))).toBe(false);
    expect(arePaired(base, modelOf("other", [0, 0]))).toBe(false);
    expect(arePaired(base, modelOf("other", [0, 0, 1, 1]))).toBe(false);
    expect(arePaired(base, modelOf("other", [0, 0, 1], { pairs: ["0", "2", "1"] }))).toBe(false);
  });

  it("get a comparison where they are paired, and the base none with itself", () => {
    const models = [modelOf("a", [0, 0]), modelOf("base", [0, 0]), modelOf("c", [0, 1])];
    const asked: [number, number][] = [];
    const compare = (base: number, model: number) => {
      asked.push([base, model]);
      return { difference: model };
    };
    expect(comparisonsWithBase(models, compare)).toEqual([{ difference: 0 }, undefined, undefined]);
    expect(asked).toEqual([[1, 0]]);
    expect(comparisonsWithBase([models[1]!], compare)).toEqual([undefined]);
  });

  it("have a stratum for each prompt that has images", () => {
    expect(strataOf(modelOf("a", [0, 0, 2, 2, 2]), 4)).toEqual([2, 3]);
    expect(strataOf(modelOf("a", []), 2)).toEqual([]);
  });
});
