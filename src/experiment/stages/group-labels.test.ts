import { describe, expect, it } from "vitest";

import { evaluateGroups } from "./group-labels.ts";
import type { StoredGroups } from "./groups.ts";

/** Hard groups. */
function stored(groupOf: readonly number[], count: number, scores?: readonly number[]): StoredGroups {
  const weights = Float32Array.from(
    { length: groupOf.length * count },
    (_, i) => +(groupOf[Math.floor(i / count)] === i % count),
  );
  const sizes = Array.from({ length: count }, (_, g) => groupOf.filter((own) => own === g).length);
  const ids = groupOf.map(String);
  return {
    ...{ method: "by hand", count, found: true, sizes, ids, weights },
    ...(scores && { scores: Float32Array.from(scores) }),
  };
}
const flags = (text: string) => [...text].map((digit) => digit === "1");

describe("evaluateGroups", () => {
  const place = { name: "place", minority: flags("00001110") };

  it("judges one attribute by the score and by the group with the most rare images", () => {
    const groups = stored([0, 0, 0, 1, 1, 1, 0, 0], 2, [0, 1, 2, 3, 4, 5, 6, 2.5]);
    const { auc, precision, recall, purity, ...rest } = evaluateGroups(groups, [place]);
    expect(auc).toBe(1);
    expect(precision).toBeCloseTo(2 / 3, 12);
    expect(recall).toBeCloseTo(2 / 3, 12);
    expect(purity).toBe(6 / 8);
    expect(rest).toEqual({ sizes: [5, 3], found: true });
  });

  it("has no area under the curve without scores, and nothing without labels or a minority", () => {
    const groups = stored([0, 0, 0, 1, 1, 1, 0, 0], 2);
    expect(evaluateGroups(groups, [place]).auc).toBeNull();
    const none = { auc: null, sizes: [5, 3], found: true };
    expect(evaluateGroups(groups, [])).toEqual(none);
    expect(evaluateGroups(groups, [{ name: "place", minority: flags("00000000") }])).toEqual(none);
  });

  it("judges several attributes by all the groups that hold mostly rare images, and the combinations", () => {
    const pose = { name: "pose", minority: flags("00110010") };
    // Perfect groups: usual, rare place, rare pose, both.
    const perfect = evaluateGroups(stored([0, 0, 2, 2, 1, 1, 3, 0], 4), [place, pose]);
    const all = { auc: 1, precision: 1, recall: 1 };
    expect(perfect).toMatchObject({ precision: 1, recall: 1, attributes: { place: all, pose: all } });
    expect(perfect.cells).toEqual({
      purity: 1,
      names: ["usual", "rare place", "rare pose", "rare place, rare pose"],
      counts: [
        [3, 0, 0, 0],
        [0, 2, 0, 0],
        [0, 0, 2, 0],
        [0, 0, 0, 1],
      ],
    });
    // Groups that know the place only.
    const half = evaluateGroups(stored([0, 0, 0, 0, 1, 1, 1, 0], 2), [place, pose]);
    expect(half.attributes!["place"]).toEqual(all);
    // Group 0 holds 2 of 5 rare ones, group 1 one of 3: 4 of 15 pairs in order, 8 tied.
    expect(half.attributes!["pose"]!.auc).toBeCloseTo((4 + 8 / 2) / 15, 10);
    expect(half.cells!.purity).toBe(5 / 8);
  });
});
