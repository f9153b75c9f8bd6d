// Halves of the images, drawn without replacement within their prompts.
import { ShapeError } from "../torch/index.ts";
import { fastRandom } from "./fast-random.ts";

export interface Halves {
  /** Draws a half: 1 where an image belongs to it. The array is reused. */
  readonly draw: () => Uint8Array;
  /** How many times as wide a statistic of all images would vary less than one of a half: sqrt(m / (M - m)). */
  readonly scale: number;
}

/** @throws ShapeError when no proper part of the images holds `atLeast` of them. */
export function halvesOf(
  strata: readonly number[],
  { atLeast, seed }: { atLeast: number; seed: number },
): Halves {
  const total = strata.reduce((sum, size) => sum + size, 0);
  const sizes = strata.map((size) => Math.max(Math.floor(size / 2), Math.min(size, 1)));
  // Few images: the largest prompts give more, until the neighbours fit.
  for (let missing = atLeast - sizes.reduce((a, b) => a + b, 0); missing > 0; missing--) {
    const room = strata.map((size, s) => size - sizes[s]!);
    sizes[room.indexOf(Math.max(...room))]!++;
  }
  const part = sizes.reduce((a, b) => a + b, 0);
  if (part >= total)
    throw new ShapeError(
      `intervals from parts of ${total} images that hold at least ${atLeast}; expected more images or fewer neighbours.`,
    );
  const random = fastRandom(seed);
  const order = Int32Array.from({ length: total }, (_, i) => i);
  const chosen = new Uint8Array(total);
  const draw = () => {
    chosen.fill(0);
    let start = 0;
    for (const [s, size] of strata.entries()) {
      for (let i = start; i < start + sizes[s]!; i++) {
        const j = i + Math.floor(random() * (start + size - i));
        [order[i], order[j]] = [order[j]!, order[i]!];
        chosen[order[i]!] = 1;
      }
      start += size;
    }
    return chosen;
  };
  return { draw, scale: Math.sqrt(part / (total - part)) };
}
