// The checks that every feature network must pass; each network's own test file calls them.
import { describe, expect, it } from "vitest";
import type { FeatureNetwork } from "../../src/metrics/index.ts";
import {
  arange,
  cat,
  DisposedTensorError,
  Generator,
  gradEnabled,
  keep,
  rand,
  scope,
  ShapeError,
  type Tensor,
  tensorCount,
} from "../../src/torch/index.ts";
import { settledTensorCount } from "../settled.ts";
import { relativeError } from "../tensors.ts";

export interface ContractOptions {
  readonly key: string;
  readonly batchSize?: number;
}

/** Noise, each picture brighter than the one before; the same for one count and size. */
export const pictures = (count: number, height = 40, width = 52): Tensor => {
  const noise = rand([count, 3, height, width], { generator: new Generator().manualSeed(count) });
  const brightness = arange(1, count + 1)
    .div(count)
    .view([count, 1, 1, 1]);
  return noise.mul(brightness).mul(255).round().to("uint8");
};

/**
 * `make` gives the network with small weights, always the same; `others` give networks that differ in what features depend
 * on besides the weights, such as the preprocessing.
 */
export function featureNetworkContract(
  name: string,
  make: (options: ContractOptions) => FeatureNetwork,
  others: Readonly<Record<string, (options: ContractOptions) => FeatureNetwork>> = {},
): void {
  const key = "ab".repeat(32);

  describe(`${name} as a feature network`, () => {
    it("gives float32 rows on the CPU that outlive the scope, and nothing else", () => {
      using network = make({ key });
      const images = keep(scope(() => pictures(3)));
      const count = settledTensorCount();
      const rows = scope(() => network.features(images));
      expect(tensorCount()).toBe(count + 1);
      expect(rows.disposed).toBe(false);
      expect([...rows.shape]).toEqual([3, network.dimensions]);
      expect([rows.dtype, rows.device, rows.requiresGrad]).toEqual(["float32", "cpu", false]);
      expect(gradEnabled()).toBe(true);
      scope(() => {
        expect(rows.isfinite().all().item()).toBe(1);
        expect(relativeError(rows.slice(0, 0, 1), rows.slice(0, 1, 2))).toBeGreaterThan(1e-4);
      });
      rows.dispose();
      images.dispose();
    });

    it("gives a picture the same row in every company", () => {
      using network = make({ key });
      using small = make({ key, batchSize: 2 });
      scope(() => {
        const images = pictures(5);
        const rows = network.features(images);
        const inTurns = small.features(images);
        const one = cat([3, 0, 4].map((i) => network.features(images.slice(0, i, i + 1))));
        const chosen = cat([3, 0, 4].map((i) => rows.slice(0, i, i + 1)));
        expect(relativeError(inTurns, rows)).toBeLessThan(1e-5);
        expect(relativeError(one, chosen)).toBeLessThan(1e-5);
        for (const made of [rows, inTurns]) made.dispose();
      });
    });

    it("takes no picture, and pictures of any size", () => {
      using network = make({ key });
      scope(() => {
        const images = pictures(1);
        using none = network.features(images.slice(0, 0, 0));
        expect([...none.shape]).toEqual([0, network.dimensions]);
        using tall = network.features(pictures(1, 300, 31));
        expect([...tall.shape]).toEqual([1, network.dimensions]);
      });
    });

    it("refuses what are no pictures, and leaves nothing behind", () => {
      using network = make({ key });
      const count = settledTensorCount();
      scope(() => {
        const images = pictures(1);
        const wrong = [images.to("float32"), images.squeeze(0), images.slice(1, 0, 1), images.slice(2, 0, 0)];
        for (const given of wrong) expect(() => network.features(given)).toThrow(ShapeError);
        expect(() => network.features(images.squeeze(0))).toThrow("expected uint8 [N, 3, H, W]");
      });
      expect(tensorCount()).toBe(count);
    });

    it("is released whole, and says so", () => {
      const count = settledTensorCount();
      const network = make({ key });
      expect(tensorCount()).toBeGreaterThan(count);
      network[Symbol.dispose]();
      expect(tensorCount()).toBe(count);
      scope(() => {
        const images = pictures(1);
        expect(() => network.features(images)).toThrow(DisposedTensorError);
      });
      expect(tensorCount()).toBe(count);
    });

    it("has a key of its weights and of all that is done to pictures", () => {
      const made = { first: make, ...others };
      const networks = Object.values(made).map((each) => each({ key }));
      const keys = networks.map((network) => network.key);
      expect(keys.every((each) => /^[0-9a-f]{64}$/.test(each))).toBe(true);
      expect(new Set(keys).size).toBe(keys.length);
      expect(new Set(networks.map((network) => network.name)).size).toBe(keys.length);
      using again = make({ key, batchSize: 3 });
      expect(again.key).toBe(keys[0]);
      using otherWeights = make({ key: "cd".repeat(32) });
      expect(keys).not.toContain(otherWeights.key);
      for (const network of networks) network[Symbol.dispose]();
    });
  });
}
