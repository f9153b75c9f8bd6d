import { describe, expect, it } from "vitest";

import { Random } from "../data/index.ts";
import { bimodality, BIMODALITY_THRESHOLD } from "./bimodality.ts";
import { standardise } from "./buckets.ts";
import { rocAuc } from "./auc.ts";
import { findPopulations, type Population } from "./populations.ts";

/** Rows of `width` correlated columns; each of the `shares` shifts the rows of a random part along a direction of its own. */
function made(rows: number, width: number, shares: readonly number[], gap: number, seed: number) {
  const random = new Random("populations", seed);
  const normals = (count: number) => Array.from({ length: count }, () => random.normal());
  const mixing = Array.from({ length: width }, () => normals(width));
  const shifts = shares.map(() => {
    const shift = normals(width);
    const length = Math.hypot(...shift);
    return shift.map((x) => (gap * x) / length);
  });
  const members = shares.map((share) => Array.from({ length: rows }, () => random.chance(share)));
  const raw = Float64Array.from({ length: rows * width });
  for (let i = 0; i < rows; i++) {
    const z = normals(width).map(
      (x, k) => x + shifts.reduce((sum, shift, a) => sum + (members[a]![i] ? shift[k]! : 0), 0),
    );
    for (let j = 0; j < width; j++) raw[i * width + j] = z.reduce((sum, x, k) => sum + x * mixing[j]![k]!, 0);
  }
  return { table: standardise(raw, width, [Array.from({ length: rows }, (_, i) => i)]), members };
}

const plausible = (scores: Float64Array) => bimodality(scores) > BIMODALITY_THRESHOLD;
const accept = ({ mixture: { share, separation, bicGain } }: Population) =>
  separation > 2 && share < 1 / 3 && share > 0.01 && bicGain > 0;

describe("findPopulations", () => {
  it.each([1, 2, 3])(
    "finds both of two independent small populations that no single column shows, seed %i",
    (seed) => {
      const { table, members } = made(1500, 6, [0.1, 0.2], 6, seed);
      const found = findPopulations(table, { width: 6, limit: 4, plausible, accept });
      expect(found).toHaveLength(2);
      const shares = found.map(({ mixture }) => mixture.share).sort((a, b) => a - b);
      expect(shares[0]).toBeCloseTo(0.1, 1);
      expect(shares[1]).toBeCloseTo(0.2, 1);
      for (const own of members) {
        const aucs = found.map(({ scores }) => rocAuc(scores, own));
        expect(Math.max(...aucs)).toBeGreaterThan(0.99);
        // Directions are orthogonal, the populations' own need not be quite.
        expect(Math.abs(Math.min(...aucs) - 0.5)).toBeLessThan(0.25);
      }
    },
  );

  it("gives the direction in terms of the columns: the scores are the table times it", () => {
    const { table } = made(800, 4, [0.15], 6, 5);
    const [first] = findPopulations(table, { width: 4, limit: 1, plausible, accept });
    const { scores, direction } = first!;
    for (let i = 0; i < 800; i++) {
      const product = direction.reduce((sum, d, j) => sum + d * table[i * 4 + j]!, 0);
      expect(product).toBeCloseTo(scores[i]!, 8);
    }
    expect(scores.reduce((sum, y) => sum + y * y, 0) / 800).toBeCloseTo(1, 8);
  });

  it("finds nothing in a single population, nor in two of equal size", () => {
    for (const seed of [1, 2, 3])
      expect(
        findPopulations(made(1000, 6, [], 0, seed).table, { width: 6, limit: 4, plausible, accept }),
      ).toEqual([]);
    expect(
      findPopulations(made(1000, 6, [0.5], 6, 4).table, { width: 6, limit: 4, plausible, accept }),
    ).toEqual([]);
  });

  it("bends to no chance pattern of few rows: their directions are few", () => {
    for (const seed of [1, 2, 3]) {
      const { table } = made(60, 40, [], 0, seed);
      expect(findPopulations(table, { width: 40, limit: 4, plausible, accept })).toEqual([]);
    }
  });

  it("stops at the limit and copes with columns that never vary", () => {
    const { table } = made(1000, 5, [0.1, 0.2], 6, 7);
    expect(findPopulations(table, { width: 5, limit: 1, plausible, accept })).toHaveLength(1);
    expect(findPopulations(new Float64Array(400), { width: 4, limit: 2, plausible, accept })).toEqual([]);
  });

  it("searches a part of very many rows, and fits all of them", () => {
    const { table, members } = made(12_000, 3, [0.1], 6, 9);
    const [first] = findPopulations(table, { width: 3, limit: 1, plausible, accept });
    expect(first!.scores).toHaveLength(12_000);
    expect(rocAuc(first!.scores, members[0]!)).toBeGreaterThan(0.99);
  });
});
