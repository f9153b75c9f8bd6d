// Shorter-side resize and centre crop against Pillow, through a PNG file as the data layer does it. Golden: resize.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/checkpoint/index.ts";
import { loadImages, toModelRange } from "../../src/data/index.ts";
import { scope } from "../../src/torch/index.ts";
import { golden } from "../golden-dir.ts";
import { within } from "./within.ts";

const cases = JSON.parse(readFileSync(golden("resize.json"), "utf8")) as {
  case: number;
  resolution: number;
}[];

describe("resize", () => {
  it.each(cases)("case $case to $resolution", async ({ case: i, resolution: size }) => {
    const folder = mkdtempSync(join(tmpdir(), "resize-"));
    const tensors = readSafetensors(golden("resize.safetensors"));
    const input = tensors.get(`${i}.input`)!;
    const [height, width] = input.shape as [number, number, number];
    try {
      const path = join(folder, "input.png");
      await sharp(input.toArray() as Uint8Array, { raw: { width, height, channels: 3 } })
        .png()
        .toFile(path);
      using images = await loadImages([path], { size });
      scope(() => {
        const expected = tensors.get(`${i}.resized_cropped`)!.permute([2, 0, 1]).unsqueeze(0);
        const levels = images.to("int32").sub(expected.to("int32")).abs();
        within("resize: levels", `case ${i}`, levels.max().item(), 0);
        const normalized = tensors.get(`${i}.normalized`)!.unsqueeze(0);
        const scaled = toModelRange(images);
        expect(scaled.sub(normalized).abs().max().item()).toBeLessThan(1e-6);
      });
    } finally {
      for (const tensor of tensors.values()) tensor.dispose();
      rmSync(folder, { recursive: true });
    }
  });
});
