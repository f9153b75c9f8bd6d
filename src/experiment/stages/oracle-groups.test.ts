import { describe, expect, it } from "vitest";

import { valueRanks } from "./oracle-groups.ts";

describe("valueRanks", () => {
  it("ranks a value within its caption: the same value may be usual here and rare there", () => {
    const values = ["water", "water", "land", "land", "land", "water"];
    expect(valueRanks(values, [0, 0, 0, 1, 1, 1])).toEqual([0, 0, 1, 0, 0, 1]);
  });

  it("breaks ties by name, so that the result does not depend on the order of the images", () => {
    expect(valueRanks(["b", "a"], [0, 0])).toEqual([1, 0]);
    expect(valueRanks(["a", "b"], [0, 0])).toEqual([0, 1]);
  });
});
