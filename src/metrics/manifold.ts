// A set of images as the union of balls around its features, and which images of another set lie in it.
import { scope, type Tensor, tensor } from "../torch/index.ts";
import { forDistanceBlocks } from "./neighbours.ts";

/** How often points lie in balls. */
export interface InsideBalls {
  /** In how many balls each point lies, [points]. */
  readonly pointIn: Float64Array;
  /** How many points each ball holds, [balls]. */
  readonly ballHolds: Float64Array;
}

/**
 * Which points lie strictly inside the balls around `centres`.
 *
 * @param centres [N, D]
 * @param radii squared, [N]
 * @param points [M, D]
 */
export function insideBalls(centres: Tensor, radii: Float64Array, points: Tensor): InsideBalls {
  const pointIn = new Float64Array(points.shape[0]!);
  const ballHolds = new Float64Array(centres.shape[0]!);
  scope(() => {
    const limits = tensor(radii);
    forDistanceBlocks(points, centres, (squared, start) => {
      const inside = squared.lt(limits).to("float64");
      pointIn.set(inside.sum([1]).toArray() as Float64Array, start);
      const holds = inside.sum([0]).toArray();
      for (let i = 0; i < ballHolds.length; i++) ballHolds[i]! += Number(holds[i]);
    });
  });
  return { pointIn, ballHolds };
}
