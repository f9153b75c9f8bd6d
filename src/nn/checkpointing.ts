/**
 * Gradient checkpointing (Chen et al. 2016, https://arxiv.org/abs/1604.06174): what lies inside chosen segments of a model
 * is not kept for the backward pass but computed again in it. The segments are run again by us, one after another, not by
 * libtorch's autograd, which would have to call JavaScript from threads of its own.
 */
import { autocast, autocastOptions, enableGrad, gradEnabled, keep, noGrad, scope } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";

/** A place where the graph is cut: what comes after it sees `leaf`, and its gradient goes on by `propagate`. */
interface Cut {
  readonly leaf: Tensor;
  readonly propagate: (gradient: Tensor) => void;
  readonly held: readonly Tensor[];
}

/** Runs a function in some state of the program, such as a strength of adapters. */
export type Context = <T>(run: () => T) => T;

let active: CheckpointTape | undefined;
let contexts: readonly Context[] = [];

/** The segments of one forward pass. */
export class CheckpointTape {
  readonly #cuts: Cut[] = [];
  #leaves = new WeakMap<Tensor, Tensor>();

  /**
   * Goes back through the segments, after the loss's own `backward()`: gradients accumulate in `.grad` as usual, and each
   * segment is released. A `loss` is sent back first; needed only if a tensor before a segment is used outside of one as well.
   */
  backward(loss?: Tensor): void {
    withTape(undefined, () => {
      loss?.backward(undefined, { retainGraph: true });
      for (let cut = this.#cuts.pop(); cut !== undefined; cut = this.#cuts.pop()) goBack(cut);
    });
    this.#leaves = new WeakMap();
  }

  /** Runs a segment without its graph, and remembers it if gradients flow through it; use `checkpointed`. */
  record<I extends readonly Tensor[]>(fn: (...inputs: I) => Tensor, inputs: I): Tensor {
    // Without a gradient among the inputs only running it tells whether there are parameters to train inside.
    const isFed = inputs.some((input) => input.requiresGrad);
    return scope(() => {
      const value = isFed ? noGrad(() => fn(...inputs)) : fn(...inputs);
      if (!isFed && !value.requiresGrad) return value;
      const held: Tensor[] = [];
      const own = inputs.map((input) => this.#hold(input, held)) as readonly Tensor[] as I;
      const mode = autocastOptions(value.device);
      const around = contexts;
      const run = () => autocast(mode, () => around.reduceRight(nest, () => fn(...own))());
      const propagate = (gradient: Tensor) => {
        const output = enableGrad(run);
        if (output.requiresGrad) output.backward(gradient);
      };
      const leaf = keep(value.detach()).requiresGrad_();
      this.#cuts.push({ leaf, propagate, held });
      const output = leaf.alias();
      this.#leaves.set(output, leaf);
      return output;
    });
  }

  /** What a segment sees of an input when it runs again. */
  #hold(input: Tensor, held: Tensor[]): Tensor {
    const known = this.#leaves.get(input);
    if (known !== undefined) return known;
    const alias = keep(input.alias());
    if (input.isLeaf) {
      held.push(alias);
      return alias;
    }
    // A result of operations outside of all segments. Its gradient goes on when every segment that uses it has added to it.
    const leaf = keep(input.detach()).requiresGrad_();
    const propagate = (gradient: Tensor) => alias.backward(gradient, { retainGraph: true });
    this.#cuts.push({ leaf, propagate, held: [alias] });
    this.#leaves.set(input, leaf);
    return leaf;
  }

  /** Forgets segments that no backward pass went through. */
  [Symbol.dispose](): void {
    for (const cut of this.#cuts.splice(0)) release(cut);
  }
}

const nest =
  (run: () => Tensor, context: Context): (() => Tensor) =>
  () =>
    context(run);

function goBack(cut: Cut): void {
  try {
    scope(() => {
      const gradient = cut.leaf.grad;
      cut.leaf.grad = undefined;
      if (gradient !== undefined) cut.propagate(gradient);
    });
  } finally {
    release(cut);
  }
}

function release({ leaf, held }: Cut): void {
  leaf.dispose();
  for (const tensor of held) tensor.dispose();
}

/** Runs `fn`, synchronously, with its segments on `tape` (undefined: on none). */
export function withTape<T>(tape: CheckpointTape | undefined, fn: () => T): T {
  const outer = active;
  active = tape;
  try {
    return fn();
  } finally {
    active = outer;
  }
}

/**
 * `fn(...inputs)`, as a segment of the active tape if there is one and gradients are recorded. `fn` must give the same every
 * time, and get every tensor that is no parameter through `inputs`; autocast and `repeatable` states are those of now.
 */
export function checkpointed<const I extends readonly Tensor[]>(
  fn: (...inputs: I) => Tensor,
  inputs: I,
): Tensor {
  return active !== undefined && gradEnabled() ? active.record(fn, inputs) : fn(...inputs);
}

/** Runs `fn` in a state; segments inside are run again in the same state, whatever it has become by then. */
export function repeatable<T>(context: Context, fn: () => T): T {
  const outer = contexts;
  contexts = [...outer, context];
  try {
    return context(fn);
  } finally {
    contexts = outer;
  }
}
