import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { reportFixture } from "../../../test/report-fixture.ts";
import { fitImages } from "./fit-images.ts";
import { imageKind } from "./html.ts";
import { renderReport } from "./render-report.ts";
import type { ReportData } from "./report-data.ts";

/** Noise does not compress: the worst case. */
function noise(side: number, seed: number): Uint8Array {
  let state = seed + 1;
  const pixels = new Uint8Array(side * side * 3);
  for (let i = 0; i < pixels.length; i++)
    pixels[i] = (state = (state * 1103515245 + 12345) % 2147483648) >> 16;
  return pixels;
}

async function withPictures(
  count: number,
  side: number,
  format: "png" | "jpeg" | "tiff",
): Promise<ReportData> {
  const images = await Promise.all(
    Array.from({ length: count }, async (_, i) => ({
      bytes: await sharp(noise(side, i), { raw: { width: side, height: side, channels: 3 } })
        .toFormat(format)
        .toBuffer(),
      alt: `picture ${i}`,
    })),
  );
  const data = reportFixture("no-attribute");
  return { ...data, groups: undefined, samples: [{ prompt: "x", grids: [{ label: "Base model", images }] }] };
}

const pictures = (data: ReportData) =>
  data.samples.flatMap(({ grids }) => grids.flatMap(({ images }) => images));

describe("fitImages", () => {
  it("leaves a report alone that is small enough", async () => {
    const data = await withPictures(3, 64, "jpeg");
    expect(await fitImages(data)).toBe(data);
    expect(await renderReport(data)).toContain("data:image/jpeg;base64,");
  });

  it("makes all pictures smaller when together they are too large, and keeps their words", async () => {
    const data = await withPictures(8, 300, "png");
    const before = pictures(data).reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
    const budget = 300_000;
    expect(before).toBeGreaterThan(budget);
    const after = pictures(await fitImages(data, budget));
    expect((after.reduce((sum, { bytes }) => sum + bytes.byteLength, 0) * 4) / 3).toBeLessThanOrEqual(budget);
    expect(after.map(({ alt }) => alt)).toEqual(pictures(data).map(({ alt }) => alt));
    for (const { bytes } of after) {
      expect(imageKind(bytes)).toBe("webp");
      const { width, height } = await sharp(bytes).metadata();
      expect(width).toBe(height);
      expect(width).toBeGreaterThanOrEqual(64);
    }
    expect(await renderReport(data, { imageBytes: budget })).toContain("data:image/webp;base64,");
  });

  it("turns kinds of image that browsers do not show into one that they do", async () => {
    const [image] = pictures(await fitImages(await withPictures(1, 32, "tiff")));
    expect(imageKind(image!.bytes)).toBe("webp");
  });

  it("says of a picture that cannot be read that it cannot", async () => {
    const data = await withPictures(1, 32, "png");
    const images = [{ bytes: new Uint8Array([1, 2, 3]), alt: "broken" }];
    const fitted = await fitImages({ ...data, samples: [{ prompt: "x", grids: [{ label: "y", images }] }] });
    expect(pictures(fitted)[0]).toMatchObject({ alt: "broken", tag: "(not readable)" });
  });
});
