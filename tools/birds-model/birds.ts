/** The pictures that the small model is trained on: Birds without the bias, so that its parts know nothing of it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadImages, openImageFolder, writeBirds } from "../../src/data/index.ts";
import type { Tensor } from "../../src/torch/index.ts";

/** Another seed than any that the quickstart draws its pictures from. */
export const BIRDS_SEED = 4242;
const SIZE = 64;

export interface Birds {
  /** uint8 [N, 3, 64, 64]. */
  readonly images: Tensor;
  /** "a photo of a waterbird" or "a photo of a landbird", one per image. */
  readonly captions: readonly string[];
}

/** Draws half of each subject on its unusual place into a temporary folder and reads it as any user's folder is read. */
export async function balancedBirds(counts: {
  train: number;
  validation: number;
}): Promise<{ train: Birds; validation: Birds }> {
  const parent = mkdtempSync(join(tmpdir(), "birds-model-"));
  try {
    const folder = join(parent, "birds");
    await writeBirds(folder, { ...counts, seed: BIRDS_SEED, balance: 0.5, size: SIZE });
    const read = async (split: "train" | "validation"): Promise<Birds> => {
      const { items } = openImageFolder(join(folder, split));
      const images = await loadImages(
        items.map(({ file }) => file),
        { size: SIZE },
      );
      return { images, captions: items.map(({ caption }) => caption) };
    };
    return { train: await read("train"), validation: await read("validation") };
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}
