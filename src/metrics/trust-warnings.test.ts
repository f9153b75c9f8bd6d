import { describe, expect, it } from "vitest";
import { trustWarnings } from "./trust-warnings.ts";

const classifier = (value: number, low: number) => ({
  column: "place",
  accuracy: { value, interval: [low, 0.999] as const },
  heldOutImages: 400,
});

describe("trustWarnings", () => {
  it("says nothing of a sound evaluation, or of nothing", () => {
    expect(trustWarnings({})).toEqual([]);
    expect(
      trustWarnings({
        fid: { realImages: 5000, fakeImages: 5000, dimensions: 2048 },
        classifiers: [classifier(0.97, 0.95)],
        attributes: [{ column: "place", values: 2 }],
        prompts: [{ prompt: "a bird", images: 512 }],
        rawBias: true,
      }),
    ).toEqual([]);
  });

  it("says each thing that is wrong", () => {
    const found = trustWarnings({
      fid: { realImages: 5000, fakeImages: 1024, dimensions: 2048 },
      classifiers: [classifier(0.8, 0.76), classifier(0.92, 0.88)],
      attributes: [{ column: "race", values: 4 }],
      prompts: [
        { prompt: "a face", images: 512 },
        { prompt: "a man", images: 16 },
      ],
      rawBias: true,
    });
    expect(found).toHaveLength(5);
    expect(found[0]).toContain("FID: 1024 images give a singular covariance in 2048 dimensions");
    expect(found[1]).toContain('classifier of "place" is right for 80 % of the held-out images only');
    expect(found[2]).toContain("may be right for fewer than 90 %");
    expect(found[3]).toMatch(/16 images of "a man" are few: .* Bias of "race" of 0\.\d\d by chance/);
    expect(found[4]).toContain("cannot exceed 0.50 (2 / K for K = 4 values)");
  });
});
