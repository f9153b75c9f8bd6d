import { describe, expect, it } from "vitest";

import { Random } from "../data/index.ts";
import { rocAuc } from "../metrics/index.ts";
import { inferGroups } from "./infer-groups.ts";
import { fitMixture } from "./mixture.ts";
import { bimodality, captionBuckets, profileScore } from "./profile-score.ts";
import type { Signal } from "./signals.ts";

/** A made-up profile: in the first columns the minority's losses lie `gap` deviations higher, the last is noise. */
function profile(
  count: number,
  share: number,
  gap: number,
  seed = 0,
): { signal: Signal; minority: boolean[] } {
  const random = new Random("profile", seed);
  const columns = [0, 1, 2].map((timestep) => ({ timestep, noise: 0 }));
  const minority = Array.from({ length: count }, () => random.chance(share));
  const losses = Float32Array.from({ length: 3 * count }, (_, i) => {
    const column = i % 3;
    const shift = minority[Math.floor(i / 3)]! && column < 2 ? gap : 0;
    return 5 + column + random.normal(0, 1) + shift;
  });
  return { signal: { losses, columns }, minority };
}

const captions = (count: number) => Int32Array.from({ length: count }, (_, i) => i % 2);

describe("bimodality", () => {
  it("is 1 for two equal points, 5/9 for a uniform and 1/3 for a normal distribution", () => {
    expect(bimodality([0, 0, 1, 1])).toBeCloseTo(1, 12);
    expect(bimodality(Array.from({ length: 20001 }, (_, i) => i))).toBeCloseTo(5 / 9, 4);
    const random = new Random("normal", 1);
    expect(bimodality(Array.from({ length: 50000 }, () => random.normal(0, 1)))).toBeCloseTo(1 / 3, 1);
  });

  it("is 0 for constant values", () => expect(bimodality([2, 2, 2])).toBe(0));
});

describe("profileScore", () => {
  it("gives no weight to a column without two populations", () => {
    const { signal } = profile(2000, 0.1, 6);
    const { weights, bimodality: coefficients } = profileScore(signal, captionBuckets(captions(2000)));
    expect(weights[2]).toBe(0);
    expect(weights[0]! + weights[1]!).toBeCloseTo(1, 12);
    expect(coefficients[2]).toBeLessThan(0.45);
  });
});

describe("captionBuckets", () => {
  it("pools captions that are too rare to have a distribution of their own", () => {
    const buckets = captionBuckets(Int32Array.from([0, 0, 0, 1, 2, 0]), 3);
    expect(buckets).toEqual([
      [0, 1, 2, 5],
      [3, 4],
    ]);
  });
});

describe("fitMixture", () => {
  it("recovers means, deviations and share of two Gaussians", () => {
    const random = new Random("mixture", 0);
    const values = Array.from({ length: 5000 }, () =>
      random.chance(0.15) ? random.normal(4, 0.7) : random.normal(0, 1),
    );
    const { means, deviations, share, separation, bicGain } = fitMixture(values);
    expect(means[0]).toBeCloseTo(0, 1);
    expect(means[1]).toBeCloseTo(4, 0);
    expect(deviations[0]).toBeCloseTo(1, 1);
    expect(deviations[1]).toBeCloseTo(0.7, 1);
    expect(share).toBeCloseTo(0.15, 1);
    expect(separation).toBeGreaterThan(3);
    expect(bicGain).toBeGreaterThan(100);
  });

  it("gives posteriors that rise with the value at the far ends", () => {
    const { upper } = fitMixture([...Array.from({ length: 200 }, (_, i) => i / 200), 9, 9.1, 9.2, -30]);
    expect(upper[203]).toBeLessThan(0.5);
    expect(upper[202]).toBeGreaterThan(0.5);
  });
});

describe("inferGroups", () => {
  it("finds a hidden minority without labels", () => {
    const { signal, minority } = profile(2000, 0.1, 6);
    const groups = inferGroups(signal, captions(2000), { solver: "mixture" });
    const upper = minority.map((_, i) => groups.weights[2 * i + 1]!);
    expect(groups.found).toBe(true);
    expect(rocAuc([...groups.score.scores], minority)).toBeGreaterThan(0.99);
    const wrong = upper.filter((p, i) => p > 0.5 !== minority[i]).length;
    expect(wrong / 2000).toBeLessThan(0.01);
    for (let i = 0; i < 2000; i++)
      expect(groups.weights[2 * i]! + groups.weights[2 * i + 1]!).toBeCloseTo(1, 5);
  });

  it("says so when there is no second population", () => {
    const { signal } = profile(2000, 0, 0);
    const groups = inferGroups(signal, captions(2000), { solver: "mixture" });
    expect(groups.found).toBe(false);
    expect(groups.count).toBe(1);
  });

  it("does not call two populations of equal size a minority", () => {
    const { signal } = profile(2000, 0.5, 6);
    expect(inferGroups(signal, captions(2000), { solver: "mixture" }).found).toBe(false);
  });

  it("the reference's solver splits near the mean instead", () => {
    const { signal, minority } = profile(2000, 0.1, 6);
    const groups = inferGroups(signal, captions(2000), { solver: "spread", count: 2 });
    const inGroup = (g: number) => minority.map((_, i) => groups.weights[2 * i + g]! > 0.5);
    const sizes = [0, 1].map((g) => inGroup(g).filter(Boolean).length / 2000);
    expect(Math.min(...sizes)).toBeGreaterThan(0.2);
  });
});
