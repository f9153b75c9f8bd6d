// grid.png: the images at a glance, one row per prompt.
import { join } from "node:path";
import sharp from "sharp";
import { writeFileAtomic } from "../../torch/atomic-file.ts";
import type { PlannedImage } from "./plan.ts";

export const GRID = "grid.png";

const MAX_COLUMNS = 8;
const MAX_ROWS = 16;
/** Pixels of a cell's longer side: larger images are reduced, smaller ones enlarged without blurring. */
const CELL = 256;
const GAP = 4;

/** Writes the first images of the first prompts as one picture. */
export async function writeGrid(out: string, plan: readonly PlannedImage[]): Promise<void> {
  const shown = plan.filter(({ promptIndex }) => promptIndex < MAX_ROWS);
  const perPrompt = shown.filter(({ promptIndex }) => promptIndex === 0).length;
  const isOneRow = perPrompt === shown.length;
  // A single prompt fills rows of its own.
  const columns = Math.min(perPrompt, MAX_COLUMNS);
  const images = isOneRow
    ? shown.slice(0, MAX_COLUMNS * MAX_ROWS)
    : shown.filter(({ index }) => index % perPrompt < columns);
  const cells = await Promise.all(
    images.map(async ({ file }) => {
      const image = sharp(join(out, file));
      const { width, height } = await image.metadata();
      const kernel = Math.max(width, height) < CELL ? "nearest" : "lanczos3";
      return await image.resize({ width: CELL, height: CELL, fit: "inside", kernel }).png().toBuffer();
    }),
  );
  const [first, ...others] = cells;
  if (first === undefined) return;
  const layout = { across: columns, shim: GAP, background: "white" };
  const grid = others.length === 0 ? first : await sharp(cells, { join: layout }).png().toBuffer();
  writeFileAtomic(join(out, GRID), grid);
}
