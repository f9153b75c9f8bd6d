// Small noisy pictures, dark or light, as an image folder: an attribute that a classifier learns in seconds.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { Random } from "../src/data/index.ts";

export interface TonedOptions {
  readonly seed?: number;
  /** How many levels lie between dark and light. */
  readonly contrast?: number;
}

/** Columns of every picture: tone (dark, light), number (its place), same (always "x"), third (its place modulo 3). */
export async function writeTonedPictures(
  root: string,
  counts: Readonly<Record<string, number>>,
  { seed = 0, contrast = 120 }: TonedOptions = {},
): Promise<void> {
  for (const [split, count] of Object.entries(counts)) {
    const folder = join(root, split);
    mkdirSync(folder, { recursive: true });
    const lines: string[] = [];
    for (let i = 0; i < count; i++) {
      const random = new Random("toned", seed, split, i);
      const [width, height] = [30 + random.int(20), 30 + random.int(20)];
      const tone = i % 2;
      const level = 128 + (tone === 0 ? -contrast : contrast) / 2;
      const pixels = Uint8Array.from({ length: width * height * 3 }, () =>
        Math.min(255, Math.max(0, Math.round(level + random.normal(0, 40)))),
      );
      const file_name = `${i}.png`;
      await sharp(pixels, { raw: { width, height, channels: 3 } })
        .png()
        .toFile(join(folder, file_name));
      const columns = { tone: ["dark", "light"][tone], number: i, same: "x", third: i % 3 };
      lines.push(JSON.stringify({ file_name, text: "a picture", ...columns }));
    }
    writeFileSync(join(folder, "metadata.jsonl"), `${lines.join("\n")}\n`);
  }
}
