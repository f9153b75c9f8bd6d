// Short lists of near images, from which recall and coverage of any half of the generated images follow without another
// look at the features. Where a list ends too early (less often than once in 100,000 images and halves), its end is taken.
import { scope, type Tensor, tensor } from "../torch/index.ts";
import { forDistanceBlocks, type Neighbours, nearestRows } from "./neighbours.ts";

/** Generated images that are kept per real image: none of them in a half has the probability 2^-40. */
const CANDIDATES = 40;

/** What recall of a part of the generated images is computed from. */
export interface RecallLists {
  readonly neighbours: number;
  /** Squared distance of each generated image to its k-th neighbour among all generated ones, [M]. */
  readonly radii: Float64Array;
  readonly nearest: Neighbours;
  /** For each real image the generated ones whose ball may hold it, and the squared distances. */
  readonly candidates: readonly { index: Int32Array; squared: Float64Array }[];
}

export function recallLists(real: Tensor, fake: Tensor, neighbours: number): RecallLists {
  const images = fake.shape[0]!;
  const nearest = nearestRows(fake, Math.min(images - 1, 4 * neighbours + 16));
  const { width, squared } = nearest;
  const at = (position: number) =>
    Float64Array.from({ length: images }, (_, j) => squared[j * width + Math.min(position, width - 1)]!);
  const candidates: { index: Int32Array; squared: Float64Array }[] = [];
  scope(() => {
    // The likeliest balls first: in a half, a ball reaches about as far as its 2k-th neighbour.
    const [likely, largest] = [tensor(at(2 * neighbours)).clamp(1e-300), at(width - 1)];
    forDistanceBlocks(real, fake, (distances) => {
      const kept = Math.min(CANDIDATES, images);
      const [, chosen] = distances.div(likely).topk(kept, 1, false, true);
      const index = chosen.to("int32").toArray() as Int32Array;
      const own = distances.gather(1, chosen).toArray() as Float64Array;
      for (let row = 0; row < index.length; row += kept) {
        const inside: number[] = [];
        for (let c = row; c < row + kept; c++) if (own[c]! < largest[index[c]!]!) inside.push(c);
        candidates.push({
          index: Int32Array.from(inside, (c) => index[c]!),
          squared: Float64Array.from(inside, (c) => own[c]!),
        });
      }
    });
  });
  return { neighbours, radii: at(neighbours - 1), nearest, candidates };
}

/** Recall of the chosen generated images alone. */
export function recalledByHalf(lists: RecallLists, chosen: Uint8Array): number {
  const { neighbours, candidates, nearest } = lists;
  const { width, squared, index } = nearest;
  const radii = new Float64Array(chosen.length);
  for (let j = 0; j < chosen.length; j++) {
    if (!chosen[j]) continue;
    let found = 0;
    let last = (j + 1) * width - 1;
    for (let p = j * width; p <= last; p++) if (chosen[index[p]!] && ++found === neighbours) last = p;
    radii[j] = squared[last]!;
  }
  let hits = 0;
  // A ball of radius 0, or of an image that was not chosen, holds nothing.
  for (const { index: fakes, squared: own } of candidates)
    for (let c = 0; c < fakes.length; c++)
      if (own[c]! < radii[fakes[c]!]!) {
        hits++;
        break;
      }
  return hits / candidates.length;
}

/** For each real image the nearest generated ones inside its ball of squared radius `radii[i]`. */
export function nearestFakes(real: Tensor, fake: Tensor, radii: Float64Array): Int32Array[] {
  const kept = Math.min(CANDIDATES, fake.shape[0]!);
  const lists: Int32Array[] = [];
  forDistanceBlocks(real, fake, (distances) => {
    const [values, chosen] = distances.topk(kept, 1, false, true);
    const squared = values.toArray() as Float64Array;
    const index = chosen.to("int32").toArray() as Int32Array;
    for (let row = 0; row < index.length; row += kept) {
      const radius = radii[lists.length]!;
      const inside = squared.subarray(row, row + kept).filter((own) => own < radius).length;
      lists.push(index.slice(row, row + inside));
    }
  });
  return lists;
}

/** Coverage by the chosen generated images alone. */
export function coveredByHalf(lists: readonly Int32Array[], chosen: Uint8Array): number {
  let hits = 0;
  for (const list of lists)
    for (let c = 0; c < list.length; c++)
      if (chosen[list[c]!]) {
        hits++;
        break;
      }
  return hits / lists.length;
}
