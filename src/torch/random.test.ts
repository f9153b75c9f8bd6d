import { describe, expect, it } from "vitest";

import { Generator, manualSeed, rand, randint, randn, randperm, scope, tensor } from "./index.ts";

const seeded = (seed: number | bigint) => new Generator().manualSeed(seed);

describe("Generator", () => {
  // torch.randn(3, generator=torch.Generator().manual_seed(0)), torch 2.13 CPU
  it("gives Python's numbers for Python's seeds", () =>
    scope(() => {
      expect(randn([3], { generator: seeded(0) }).toNumbers()).toEqual([
        1.5409960746765137, -0.293428897857666, -2.1787893772125244,
      ]);
    }));

  it("continues from a restored state, also in another generator", () =>
    scope(() => {
      const generator = seeded(7);
      rand([5], { generator });
      const state = generator.getState();
      const expected = randn([100], { generator });
      expect(randn([100], { generator: new Generator().setState(state) }).equal(expected)).toBe(true);
      expect(randn([100], { generator }).equal(expected)).toBe(false);
    }));

  it("takes bigint seeds (libtorch's CPU generator uses their lower 32 bits) and refuses a broken state", () =>
    scope(() => {
      const big = randn([4], { generator: seeded(2n ** 63n + 1n) });
      expect(big.equal(randn([4], { generator: seeded(1) }))).toBe(true);
      expect(big.equal(randn([4], { generator: seeded(2) }))).toBe(false);
      expect(() => seeded(0).setState(new Uint8Array(3))).toThrow();
    }));

  it("drives every random operator", () =>
    scope(() => {
      const draw = () => {
        const generator = seeded(3);
        return [rand([2], { generator }), randint(100, [2], { generator }), randperm(5, { generator })].map(
          (t) => t.toNumbers(),
        );
      };
      expect(draw()).toEqual(draw());
    }));

  it("manualSeed seeds the default generator", () =>
    scope(() => {
      manualSeed(5);
      const first = randn([2]);
      manualSeed(5);
      expect(tensor(first.toNumbers()).equal(randn([2]))).toBe(true);
    }));
});
