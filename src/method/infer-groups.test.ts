import { describe, expect, it } from "vitest";

import { Random } from "../data/index.ts";
import { bimodality, captionBuckets, fitMixture, rocAuc, standardise } from "../metrics/index.ts";
import { inferGroups } from "./infer-groups.ts";
import { profileScore } from "./profile-score.ts";
import type { Signal } from "./signals.ts";

/** A made-up profile: in the first columns the minority's losses lie `gap` deviations higher, the last is noise. */
function profile(
  count: number,
  share: number,
  gap: number,
  seed = 0,
): { signal: Signal; minority: boolean[] } {
  const random = new Random("profile", seed);
  const columns = [0, 1, 2].map((timestep) => ({ timestep, noise: 0, contrast: true }));
  const minority = Array.from({ length: count }, () => random.chance(share));
  const losses = Float32Array.from({ length: 3 * count }, (_, i) => {
    const column = i % 3;
    const shift = minority[Math.floor(i / 3)]! && column < 2 ? gap : 0;
    return 5 + column + random.normal(0, 1) + shift;
  });
  return { signal: { losses, columns }, minority };
}

const captions = (count: number) => Int32Array.from({ length: count }, (_, i) => i % 2);

/** Two captions, two independent attributes (10 % and 20 % rare) that change six columns in different ways. */
function twoAttributes(count: number) {
  const random = new Random("two attributes", 1);
  const effects = [
    [6, 5, 0, 4, 0, 2],
    [0, 2, 5, 0, 5, 3],
  ];
  const columns = effects[0]!.map((_, timestep) => ({ timestep, noise: 0, contrast: true }));
  const rare = [0.1, 0.2].map((share) => Array.from({ length: count }, () => random.chance(share)));
  const losses = Float32Array.from({ length: 6 * count }, (_, i) => {
    const row = Math.floor(i / 6);
    return random.normal(0, 1) + effects.reduce((sum, own, a) => sum + (rare[a]![row] ? own[i % 6]! : 0), 0);
  });
  return { signal: { losses, columns }, captionOf: captions(count), rare };
}

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
    const buckets = captionBuckets(captions(2000));
    const standard = standardise(signal.losses, 3, buckets);
    const { weights, bimodality: coefficients } = profileScore(standard, 3, buckets);
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

  it("finds two hidden attributes and makes four groups of them; a count of two keeps the clearer one", () => {
    const { signal, captionOf, rare } = twoAttributes(3000);
    const groups = inferGroups(signal, captionOf, { solver: "mixture" });
    expect(groups).toMatchObject({ count: 4, found: true });
    expect(groups.attributes).toHaveLength(2);
    for (const own of rare) {
      const aucs = groups.attributes.map(({ scores }) => rocAuc(scores, own));
      expect(Math.max(...aucs)).toBeGreaterThan(0.99);
    }
    const sizes = [0, 1, 2, 3].map((g) =>
      groups.weights.filter((_, i) => i % 4 === g).reduce((a, b) => a + b, 0),
    );
    [0.72, 0.08, 0.18, 0.02].forEach((share) => {
      const nearest = Math.min(...sizes.map((size) => Math.abs(size / 3000 - share)));
      expect(nearest).toBeLessThan(0.02);
    });
    const two = inferGroups(signal, captionOf, { solver: "mixture", count: 2 });
    expect(two.count).toBe(2);
    expect(two.attributes).toHaveLength(1);
  });

  it("takes a population for granted that the base knows no worse than the rest", () => {
    const { signal, minority } = profile(2000, 0.15, -6);
    expect(minority.filter(Boolean).length).toBeGreaterThan(200);
    expect(inferGroups(signal, captions(2000), { solver: "mixture" })).toMatchObject({
      found: false,
      count: 1,
    });
  });

  it("judges how well the base knows them by the contrasts alone, where there are any", () => {
    // The rare images are easier as pictures (own loss), and unlikely for their caption (contrast).
    const { signal, minority } = profile(2000, 0.1, 6);
    const columns = [0, 1, 2].map((timestep) => ({ timestep, noise: 0, contrast: timestep === 0 }));
    const losses = signal.losses.map((loss, i) => (i % 3 === 1 ? -loss : loss));
    const groups = inferGroups({ losses, columns }, captions(2000), { solver: "mixture" });
    expect(groups.found).toBe(true);
    expect(rocAuc(groups.score.scores, minority)).toBeGreaterThan(0.99);
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
