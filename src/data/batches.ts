/** Endless streams of index batches of one size, the same for one seed, that can be left and continued by a small state. */
import { DataError } from "../torch/index.ts";
import { Random } from "./random.ts";

/** Where a stream stands; plain JSON. Continue it with `restore` on a stream made with the same arguments. */
export interface BatchState {
  readonly kind: "shuffled" | "weighted";
  readonly n: number;
  readonly batchSize: number;
  readonly seed: number;
  /** Indices handed out so far. */
  readonly position: number;
}

/** An endless iterator of Int32Array batches, all of batchSize. */
export interface Batches extends IterableIterator<Int32Array, never> {
  next(): IteratorYieldResult<Int32Array>;
  [Symbol.iterator](): Batches;
  state(): BatchState;
  /** Throws DataError when the state comes from a stream with other arguments. */
  restore(state: BatchState): Batches;
}

type Start = Pick<BatchState, "kind" | "n" | "batchSize" | "seed">;

/**
 * Every index of 0..n-1 once per epoch in an order drawn anew for each epoch.
 * A batch that reaches the end of an epoch goes on with the next one, so that all batches have one size.
 */
export function shuffledBatches(n: number, batchSize: number, seed: number): Batches {
  let epoch = -1;
  const order = new Int32Array(n);
  return stream({ kind: "shuffled", n, batchSize, seed }, (batch, position) => {
    for (let i = 0; i < batch.length; i++) {
      const wanted = Math.floor((position + i) / n);
      if (wanted !== epoch) {
        epoch = wanted;
        for (let k = 0; k < n; k++) order[k] = k;
        new Random("shuffled", seed, epoch).shuffle(order);
      }
      batch[i] = order[(position + i) % n] as number;
    }
  });
}

/** Indices drawn with replacement, each with a probability proportional to its weight (importance sampling). */
export function weightedBatches(weights: ArrayLike<number>, batchSize: number, seed: number): Batches {
  const cumulative = new Float64Array(weights.length);
  let total = 0;
  let last = 0; // The last index that may be drawn: rounding must not lead beyond it.
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i] as number;
    if (!(weight >= 0 && weight < Infinity))
      throw new DataError(`Weight ${i} is ${weight}; weights are finite numbers of at least 0.`);
    if (weight > 0) last = i;
    cumulative[i] = total += weight;
  }
  if (!(total > 0)) throw new DataError("All weights are 0; at least one must be greater.");
  return stream({ kind: "weighted", n: weights.length, batchSize, seed }, (batch, position) => {
    const random = new Random("weighted", seed, position);
    for (let i = 0; i < batch.length; i++)
      batch[i] = Math.min(last, above(cumulative, random.uniform(0, total)));
  });
}

/** Index of the first value greater than `value` in a rising list. */
function above(rising: Float64Array, value: number): number {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rising[middle] as number) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

function stream(start: Start, fill: (batch: Int32Array, position: number) => void): Batches {
  for (const name of ["n", "batchSize"] as const)
    if (!Number.isSafeInteger(start[name]) || start[name] < 1)
      throw new DataError(
        `Batches were asked for with ${name} = ${start[name]}; expected a whole number of at least 1.`,
      );
  let position = 0;
  const batches: Batches = {
    next() {
      const value = new Int32Array(start.batchSize);
      fill(value, position);
      position += start.batchSize;
      return { value, done: false };
    },
    [Symbol.iterator]: () => batches,
    state: () => ({ ...start, position }),
    restore(state) {
      for (const name of ["kind", "n", "batchSize", "seed"] as const)
        if (state[name] !== start[name])
          throw new DataError(
            `The saved batches have ${name} = ${state[name]}, these have ${start[name]}. Resume with the same settings.`,
          );
      if (!Number.isSafeInteger(state.position) || state.position < 0)
        throw new DataError(
          `The saved batches stand at ${state.position}; expected a whole number of at least 0.`,
        );
      position = state.position;
      return batches;
    },
  };
  return batches;
}
