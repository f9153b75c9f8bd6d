// LPIPS of 8-bit pictures; the network itself against torchmetrics in test/parity/vision.test.ts.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pictures } from "../../../test/contracts/feature-network.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { LpipsVgg } from "../../models/index.ts";
import { cat, DisposedTensorError, scope, ShapeError, tensorCount } from "../../torch/index.ts";
import { Lpips } from "./lpips.ts";

const CHANNELS = [4, 4, 8, 8, 8];
const small = () => new Lpips(LpipsVgg.seeded({ channels: CHANNELS }, 5));

describe("Lpips", () => {
  it("is 0 for equal pictures, above it for others, and symmetric", () => {
    using lpips = small();
    scope(() => {
      const images = pictures(4, 24, 40);
      const turned = images.flip([0]);
      const there = lpips.distances(images, turned);
      expect(lpips.distances(images, images).toNumbers()).toEqual([0, 0, 0, 0]);
      expect(Math.min(...there.toNumbers())).toBeGreaterThan(0);
      expect(there.toNumbers()).toEqual(lpips.distances(turned, images).toNumbers());
    });
  });

  it("gives all pairs in their order, and 0 for equal ones", () => {
    using lpips = small();
    scope(() => {
      const images = cat([pictures(3, 20, 20), pictures(3, 20, 20).slice(0, 0, 1)]);
      const single = (i: number) => images.slice(0, i, i + 1);
      const pairs = [0, 1, 2, 3].flatMap((i) => [0, 1, 2, 3].slice(i + 1).map((j) => [i, j] as const));
      const expected = pairs.map(([i, j]) => lpips.distances(single(i), single(j)).item());
      const found = [...lpips.pairDistances(images)];
      expect(found).toHaveLength(6);
      found.forEach((value, k) => expect(Math.abs(value - expected[k]!)).toBeLessThan(1e-6));
      expect(found[2]).toBeLessThan(1e-12); // pictures 0 and 3 are equal
    });
  });

  it("does not depend on how many pictures are held at once", () => {
    using lpips = small();
    fc.assert(
      fc.property(fc.integer({ min: 30, max: 40 }), (count) =>
        scope(() => {
          const images = pictures(count, 16, 16);
          const first = lpips.distances(images, images.flip([0])).toNumbers();
          const last = lpips.distances(images.slice(0, -1), images.slice(0, 0, 1)).item();
          expect(Math.abs(first.at(-1)! - last)).toBeLessThan(1e-6);
          const pairs = lpips.pairDistances(images);
          expect(pairs).toHaveLength((count * (count - 1)) / 2);
          expect(Math.abs(pairs[count - 2]! - last)).toBeLessThan(1e-6); // (0, count - 1)
          const [a, b] = [images.slice(0, -2, -1), images.slice(0, -1)];
          expect(Math.abs(pairs.at(-1)! - lpips.distances(a, b).item())).toBeLessThan(1e-6);
        }),
      ),
      { numRuns: 4, seed: 1 },
    );
  });

  it("takes few pictures, refuses others, and keeps nothing", () => {
    const before = settledTensorCount();
    const lpips = small();
    scope(() => {
      const images = pictures(2);
      expect(lpips.pairDistances(images.slice(0, 0, 1))).toHaveLength(0);
      expect(lpips.pairDistances(images.slice(0, 0, 0))).toHaveLength(0);
      expect([...lpips.distances(images.slice(0, 0, 0), images.slice(0, 0, 0)).shape]).toEqual([0]);
      expect(() => lpips.distances(images, images.slice(0, 1))).toThrow(ShapeError);
      expect(() => lpips.distances(images.to("float32"), images)).toThrow("expected uint8 [N, 3, H, W]");
      expect(() => lpips.pairDistances(images.select(0, 0))).toThrow(ShapeError);
      const count = tensorCount();
      lpips.pairDistances(images);
      expect(tensorCount()).toBe(count);
      const kept = lpips.distances(images, images);
      expect(tensorCount()).toBe(count + 1);
      kept.dispose();
      lpips[Symbol.dispose]();
      expect(() => lpips.distances(images, images)).toThrow(DisposedTensorError);
    });
    expect(settledTensorCount()).toBe(before);
  });
});
