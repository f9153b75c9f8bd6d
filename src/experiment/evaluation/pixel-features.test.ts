import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../../test/settled.ts";
import { tensor, tensorCount } from "../../torch/index.ts";
import { pixelFeatures } from "./pixel-features.ts";

describe("pixelFeatures", () => {
  it("are the means of 8 x 8 fields of each channel, 0 to 1", () => {
    using network = pixelFeatures();
    // Each field of 2 x 2 pixels holds v - 3, v - 1, v + 1, v + 3 for a v of its own.
    const fieldOf = (i: number, c: number, y: number, x: number) => 20 + i + 50 * c + 2 * y + 3 * x;
    const values: number[] = [];
    const expected: number[] = [];
    for (let i = 0; i < 2; i++)
      for (let c = 0; c < 3; c++) {
        for (let y = 0; y < 16; y++)
          for (let x = 0; x < 16; x++)
            values.push(fieldOf(i, c, y >> 1, x >> 1) + 4 * (y & 1) + 2 * (x & 1) - 3);
        for (let y = 0; y < 8; y++) for (let x = 0; x < 8; x++) expected.push(fieldOf(i, c, y, x) / 255);
      }
    using images = tensor(Uint8Array.from(values), { shape: [2, 3, 16, 16] });
    const before = settledTensorCount();
    {
      using rows = network.features(images);
      expect([...rows.shape]).toEqual([2, network.dimensions]);
      rows.toNumbers().forEach((value, k) => expect(value).toBeCloseTo(expected[k]!, 6));
    }
    expect(tensorCount()).toBe(before);
    expect(network.dimensions).toBe(192);
    expect(network.key).toMatch(/^[0-9a-f]{64}$/);
  });
});
