/**
 * Batches with the memory of one image, and large images with that of small ones: overlapping tiles, each through the
 * network alone, blended where they overlap. Mirrors diffusers AutoencoderKL tiled_encode and tiled_decode.
 */
import { cat, ConfigError, scope, tensor, upload } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import type { VaeConfig } from "./config.ts";

/** Ways to need less memory, by default none. */
export interface VaeMemoryOptions {
  /** One image of the batch after the other, diffusers' `enable_slicing`: the same numbers. */
  readonly slicing?: boolean | undefined;
  /** Images larger than a tile in overlapping tiles, diffusers' `enable_tiling`: slightly other numbers. */
  readonly tiling?: boolean | TilingOptions | undefined;
}

export interface TilingOptions {
  /** Side of a tile in latents; by default that of the configuration's `sample_size`. */
  readonly latentSize?: number;
  /** Share of a tile that its neighbour covers too. */
  readonly overlapFactor?: number;
}

/** Sides of a square tile before and after the network, and how they follow each other. */
export interface TilePlan {
  readonly input: number;
  /** From the begin of one tile to that of the next, in the input. */
  readonly stride: number;
  /** Rows or columns of the output that are blended with the tile before. */
  readonly blend: number;
  /** Rows or columns of the output that a tile contributes. */
  readonly keep: number;
}

/** Plans for encoding and decoding, if any. @throws ConfigError when tiles of this size and overlap do not fit together. */
export function tilePlans(
  config: VaeConfig,
  tiling: VaeMemoryOptions["tiling"] = false,
): { readonly encode: TilePlan; readonly decode: TilePlan } | undefined {
  if (tiling === false) return undefined;
  const { latentSize, overlapFactor = 0.25 } = tiling === true ? {} : tiling;
  const factor = 2 ** (config.block_out_channels.length - 1);
  const sample = typeof config.sample_size === "number" ? config.sample_size : config.sample_size[0];
  const latent = latentSize ?? Math.floor(sample / factor);
  const blend = latent * overlapFactor;
  // Otherwise strides and kept parts differ, and diffusers' result has another size than the whole picture's.
  if (!Number.isInteger(latent) || !Number.isInteger(blend) || blend < 0 || blend >= latent) {
    throw new ConfigError(
      `tiles of ${latent} latents with an overlap of ${overlapFactor} do not fit together; expected latentSize and overlapFactor whose product is a whole number below latentSize`,
    );
  }
  const keep = latent - blend;
  return {
    encode: { input: latent * factor, stride: keep * factor, blend, keep },
    decode: { input: latent, stride: keep, blend: blend * factor, keep: keep * factor },
  };
}

/** `run` on all of [B, C, H, W] at once, or on its images and their tiles one after the other. */
export function inPieces(
  xs: Tensor,
  { slicing = false, plan }: { readonly slicing?: boolean | undefined; readonly plan: TilePlan | undefined },
  run: (xs: Tensor) => Tensor,
): Tensor {
  const each = (ys: Tensor): Tensor =>
    plan !== undefined && ys.shape.slice(2).some((side) => side > plan.input)
      ? tiled(ys, plan, run)
      : run(ys);
  if (!slicing || xs.shape[0] === 1) return each(xs);
  return scope(() => cat(xs.split(1).map(each)));
}

/** `run` on every tile of [B, C, H, W]; only two rows of tiles are held at a time. */
function tiled(xs: Tensor, plan: TilePlan, run: (tile: Tensor) => Tensor): Tensor {
  const { input, stride, keep } = plan;
  const [, , height, width] = xs.shape as [number, number, number, number];
  const starts = (side: number) => Array.from({ length: Math.ceil(side / stride) }, (_, i) => i * stride);
  return scope(() => {
    const strips: Tensor[] = [];
    let above: Tensor[] = [];
    for (const top of starts(height)) {
      const [row, strip] = scope(() => {
        const tiles: Tensor[] = [];
        for (const left of starts(width)) {
          const before = { above: above[tiles.length], left: tiles.at(-1) };
          const cut = xs.slice(2, top, top + input).slice(3, left, left + input);
          tiles.push(scope(() => blended(run(cut), before, plan)));
        }
        const kept = tiles.map((tile) => tile.slice(2, 0, keep).slice(3, 0, keep));
        return [tiles, cat(kept, 3)];
      });
      for (const tile of above) tile.dispose();
      above = row;
      strips.push(strip);
    }
    return cat(strips, 2);
  });
}

/** A tile whose first rows and columns go over smoothly from the tiles above and to the left. */
function blended(
  tile: Tensor,
  before: { readonly above: Tensor | undefined; readonly left: Tensor | undefined },
  { blend }: TilePlan,
): Tensor {
  const below = before.above === undefined ? tile : crossFade(before.above, tile, 2, blend);
  return before.left === undefined ? below : crossFade(before.left, below, 3, blend);
}

/** `next`, its first `extent` rows (dim 2) or columns (dim 3) mixed with the last ones of `previous`. */
function crossFade(previous: Tensor, next: Tensor, dim: 2 | 3, extent: number): Tensor {
  const [ends, begins] = [previous.shape[dim]!, next.shape[dim]!];
  const count = Math.min(ends, begins, extent);
  if (count === 0) return next;
  // float32 in any case, as where a Python number is a factor.
  const weights = (of: (i: number) => number) =>
    upload(
      tensor(
        Array.from({ length: count }, (_, i) => of(i / count)),
        { shape: dim === 2 ? [count, 1] : [count] },
      ),
      next.device,
    );
  const old = previous.slice(dim, ends - count, ends).mul(weights((share) => 1 - share));
  const mixed = old.add(next.slice(dim, 0, count).mul(weights((share) => share)));
  return cat([mixed.to(next.dtype), next.slice(dim, count, begins)], dim);
}
