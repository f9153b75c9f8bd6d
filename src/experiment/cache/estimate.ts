// How much a cache will hold. Loads no engine, so that a plan can say it before anything runs.

export interface CacheContents {
  /** Pictures to be encoded. */
  readonly images: number;
  /** Whether their mirror images are kept too. */
  readonly flip: boolean;
  /** [C, h, w]. */
  readonly latentShape: readonly number[];
  /** Texts to be encoded, the empty one included. */
  readonly captions: number;
  /** [L, D]. */
  readonly stateShape: readonly number[];
}

/** Bytes of the rows: mean and log-variance of each picture, states of each text, float32. Headers add about 65 bytes a row. */
export function cacheEstimate({ images, flip, latentShape, captions, stateShape }: CacheContents): number {
  const size = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);
  return 4 * (images * (flip ? 2 : 1) * 2 * size(latentShape) + captions * size(stateShape));
}
