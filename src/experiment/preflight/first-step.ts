// After the first step: did the weights change that should, and did the others stay as they were?
import { InvDiffError, noGrad, scope, type Tensor } from "../../torch/index.ts";

export interface WatchedTensors {
  /** By checkpoint key. */
  readonly trainable: ReadonlyMap<string, Tensor>;
  readonly frozen: ReadonlyMap<string, Tensor>;
}

export interface FirstStepWatch {
  /**
   * To be called after the first step with a learning rate above 0. `updated` are the keys of the tensors that a gradient has
   * reached, where that is known (the optimizer has moments for these only): each trainable tensor must be among them.
   * Errors: InvDiffError naming the tensors that are wrong.
   */
  check(updated?: ReadonlySet<string>): void;
}

/** Sum and 2-norm in float64: no update of a float32 tensor leaves both as they were, rounding and luck apart. */
type Checksum = readonly [number, number];

function checksums(tensors: ReadonlyMap<string, Tensor>): Map<string, Checksum> {
  const result = new Map<string, Checksum>();
  noGrad(() => {
    for (const [key, tensor] of tensors)
      scope(() => {
        const values = tensor.detach();
        const sum = values.sum(undefined, undefined, { dtype: "float64" });
        const norm = values.linalgVectorNorm(2, undefined, undefined, { dtype: "float64" });
        result.set(key, [sum.item(), norm.item()]);
      });
  });
  return result;
}

/** Remembers a checksum of every tensor now, reading each one once; nothing else is kept. */
export function watchFirstStep({ trainable, frozen }: WatchedTensors): FirstStepWatch {
  const before = { trainable: checksums(trainable), frozen: checksums(frozen) };
  return {
    check(updated) {
      const after = { trainable: checksums(trainable), frozen: checksums(frozen) };
      const changed = (kind: "trainable" | "frozen"): string[] =>
        [...after[kind]].filter(([key, now]) => !isSame(now, before[kind].get(key)!)).map(([key]) => key);
      const broken = [...after.trainable]
        .filter(([, sums]) => !sums.every(Number.isFinite))
        .map(([key]) => key);
      if (broken.length > 0)
        fail("is not finite after the first step", "are not finite after the first step", broken);
      const moved = changed("frozen");
      if (moved.length > 0) fail("is frozen, but changed", "are frozen, but changed", moved);
      const unreached = updated === undefined ? [] : [...trainable.keys()].filter((key) => !updated.has(key));
      if (unreached.length > 0)
        fail("is to be trained, but got no gradient", "are to be trained, but got no gradient", unreached);
      // Single tensors may stay: half of fresh adapters, and all below a last layer of zeros, have zero gradients at first.
      if (trainable.size > 0 && changed("trainable").length === 0)
        fail("is to be trained, but did not change", "are to be trained, but none changed", [
          ...trainable.keys(),
        ]);
    },
  };
}

const isSame = (a: Checksum, b: Checksum): boolean => a.every((value, i) => Object.is(value, b[i]));

function fail(one: string, several: string, keys: readonly string[]): never {
  const some = keys.slice(0, 8).join(", ") + (keys.length > 8 ? ", ..." : "");
  const what = keys.length === 1 ? `Tensor ${some} ${one}.` : `${keys.length} tensors ${several}: ${some}.`;
  throw new InvDiffError(`${what} The training stops, because its result would mean nothing.`);
}
