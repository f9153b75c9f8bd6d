import { describe, expect, it } from "vitest";

import { rankGroups, valueRanks } from "./oracle-groups.ts";

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

describe("rankGroups", () => {
  it("of one column are the ranks", () => {
    expect(rankGroups([[0, 2, 1, 0]])).toEqual({ groupOf: [0, 2, 1, 0], count: 3 });
  });

  it("of several columns are the combinations that occur, the first column fastest", () => {
    const place = [0, 1, 0, 1, 0];
    const pose = [0, 0, 1, 1, 0];
    expect(rankGroups([place, pose])).toEqual({ groupOf: [0, 1, 2, 3, 0], count: 4 });
    // Nobody is rare in both ways.
    expect(rankGroups([place.with(3, 0), pose])).toEqual({ groupOf: [0, 1, 2, 2, 0], count: 3 });
  });
});
