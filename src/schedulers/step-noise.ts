// Gaussian noise for a batch, from one generator or one per sample.
import { cat, type DType, Generator, randn, ShapeError, type Tensor, upload } from "../torch/index.ts";

/**
 * Standard normal noise shaped like `like`. With a list, sample i is drawn from generator i alone, so that an image is
 * the same in every batch it is part of. Each generator draws on its own device: a CPU generator gives the same
 * numbers wherever the model is, and they get there without waiting for it.
 */
export function stepNoise(
  like: Tensor,
  generator?: Generator | readonly Generator[],
  dtype: DType = like.dtype,
): Tensor {
  const { shape, device } = like;
  if (generator === undefined) return randn([...shape], { dtype, device });
  const draw = (size: number[], source: Generator) =>
    randn(size, { generator: source, dtype, device: source.device });
  if (generator instanceof Generator) return upload(draw([...shape], generator), device);
  if (generator.length !== shape[0])
    throw new ShapeError(
      `${generator.length} generators for a batch of ${shape[0]} samples; give one per sample.`,
    );
  const one = [1, ...shape.slice(1)];
  return upload(
    cat(
      generator.map((own) => draw(one, own)),
      0,
    ),
    device,
  );
}
