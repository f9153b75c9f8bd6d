// Batches balanced over the groups: every (caption, group) cell is drawn equally often, however few images it holds.

/**
 * Sampling weight of each image, [N]: p_i = sum over groups g of w_ig / (total weight of g among the images of i's caption).
 * With weights [N][count] row-major. Cells of no weight take no part.
 */
export function balancedSampling(weights: Float32Array, count: number, captionOf: Int32Array): Float64Array {
  const captions = captionOf.reduce((most, caption) => Math.max(most, caption), -1) + 1;
  const totals = new Float64Array(captions * count);
  captionOf.forEach((caption, row) => {
    for (let g = 0; g < count; g++) totals[caption * count + g]! += weights[row * count + g]!;
  });
  // A cell below one image's worth of weight holds only rounding dust: drawing it as often as the others would
  // repeat a single wrong image.
  return Float64Array.from(captionOf, (caption, row) => {
    let p = 0;
    for (let g = 0; g < count; g++) {
      const total = totals[caption * count + g]!;
      if (total >= 1) p += weights[row * count + g]! / total;
    }
    return p;
  });
}
