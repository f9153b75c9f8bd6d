// Batches balanced over the groups: every (caption, group) cell is drawn equally often, however few images it holds,
// within reason.

/**
 * An image is drawn at most this many times as often as if all were drawn alike, each caption taken for itself. Cells
 * above 1 / (20 * groups) of their caption are drawn in full (2.5 % with two groups, 1.25 % with four); of a smaller one
 * the few images would otherwise be learnt by heart, and a wrongly sorted image would be repeated without end.
 */
const MOST_REPEATED = 20;

/**
 * Sampling weight of each image, [N]: p_i = sum over groups g of w_ig / (total weight of g among the images of i's
 * caption), where the total counts as at least 1 / (20 * groups of the caption) of the caption's images. With weights
 * [N][count] row-major. Cells of no weight take no part.
 */
export function balancedSampling(weights: Float32Array, count: number, captionOf: Int32Array): Float64Array {
  const captions = captionOf.reduce((most, caption) => Math.max(most, caption), -1) + 1;
  const totals = new Float64Array(captions * count);
  const images = new Float64Array(captions);
  captionOf.forEach((caption, row) => {
    images[caption]!++;
    for (let g = 0; g < count; g++) totals[caption * count + g]! += weights[row * count + g]!;
  });
  // A cell below one image's worth of weight holds only rounding dust: drawing it as often as the others would
  // repeat a single wrong image.
  const present = (caption: number): number =>
    totals.subarray(caption * count, (caption + 1) * count).filter((total) => total >= 1).length;
  const least = images.map((size, caption) => size / (MOST_REPEATED * Math.max(1, present(caption))));
  return Float64Array.from(captionOf, (caption, row) => {
    let p = 0;
    for (let g = 0; g < count; g++) {
      const total = totals[caption * count + g]!;
      if (total >= 1) p += weights[row * count + g]! / Math.max(total, least[caption]!);
    }
    return p;
  });
}
