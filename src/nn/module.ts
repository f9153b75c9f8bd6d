/**
 * The base class of layers and models. Parameters, buffers and sub-modules are those that were made under the module's
 * path of the ParamStore: registration is explicit and keys are written once, where the layer is made.
 */
import { CheckpointError, keep, noGrad, sameDevice, scope } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { keyErrors } from "./key-errors.ts";
import { formatFor, formatOf, inFormat } from "./memory-format.ts";
import type { WeightFormat } from "./memory-format.ts";
import type { ParamStore, StoreOptions } from "./param-store.ts";

export abstract class Module {
  readonly #store: ParamStore;
  #training = false;

  constructor(vs: ParamStore) {
    this.#store = vs;
    vs.register(this);
  }

  /** True after `train()`, false after `eval()` and at first. */
  get training(): boolean {
    return this.#training;
  }

  /** This module ("") and all below it with their dotted paths. */
  namedModules(): IterableIterator<[string, Module]> {
    return this.#store.modules();
  }

  /** Parameters with their checkpoint keys, relative to this module. */
  *namedParameters(): IterableIterator<[string, Tensor]> {
    for (const [key, slot] of this.#store.parameters()) yield [key, slot.value];
  }

  parameters(): Tensor[] {
    return Array.from(this.namedParameters(), ([, value]) => value);
  }

  /** Saved tensors that are not trained (running statistics), with their checkpoint keys. */
  *namedBuffers(): IterableIterator<[string, Tensor]> {
    for (const [key, slot] of this.#store.buffers()) if (slot.persistent) yield [key, slot.value];
  }

  /** Number of scalars in all parameters. */
  parameterCount(): number {
    let count = 0;
    for (const [, slot] of this.#store.parameters()) count += slot.shape.reduce((a, b) => a * b, 1);
    return count;
  }

  /** The model's own tensors by checkpoint key, parameters and saved buffers: not copies. */
  stateDict(): Map<string, Tensor> {
    return new Map([...this.namedParameters(), ...this.namedBuffers()]);
  }

  /**
   * Copies values into the parameters and saved buffers, in place.
   * @throws CheckpointError listing all missing, unexpected and mismatched keys; nothing is copied then.
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>, { strict = true }: { strict?: boolean } = {}): void {
    const own = this.stateDict();
    const optional = new Set(
      Array.from(this.#store.buffers()).flatMap(([key, slot]) => (slot.optional ? key : [])),
    );
    const absent = [...own.keys()].filter((key) => !state.has(key) && !optional.has(key));
    const missing = strict ? absent : [];
    const unexpected = strict ? [...state.keys()].filter((key) => !own.has(key)) : [];
    const mismatched: string[] = [];
    for (const [key, value] of own) {
      const given = state.get(key)?.shape;
      if (given !== undefined && given.join() !== value.shape.join()) {
        mismatched.push(
          `${key}: [${given.join(", ")}] in the checkpoint, [${value.shape.join(", ")}] in the model`,
        );
      }
    }
    const message = keyErrors({ missing, unexpected, mismatched });
    if (message !== undefined) throw new CheckpointError(message);
    noGrad(() => {
      scope(() => {
        for (const [key, value] of own) {
          const given = state.get(key);
          if (given !== undefined) value.copy_(given);
        }
      });
    });
  }

  /** Switches gradients on or off for every parameter. */
  requiresGrad_(flag = true): this {
    for (const [, slot] of this.#store.parameters()) slot.value.requiresGrad_(flag);
    return this;
  }

  /**
   * Moves or converts every parameter and saved buffer (whole numbers stay whole); on another device they take the memory
   * format that it likes, unless one is given. Make optimizers and adapters afterwards: they hold tensors themselves.
   */
  to({ dtype, device, memoryFormat }: StoreOptions): this {
    for (const [, slot] of [...this.#store.parameters(), ...this.#store.buffers()]) {
      const { value } = slot;
      const converts = slot.persistent && /float/.test(value.dtype);
      const target = { dtype: (converts ? dtype : undefined) ?? value.dtype, device: device ?? value.device };
      const moves = !sameDevice(target.device, value.device);
      const format = memoryFormat ?? (moves ? formatFor(target.device) : undefined);
      const stays = target.dtype === value.dtype && !moves;
      const moved = keep(scope(() => inFormat(stays ? value : value.detach().to(target), format)));
      if (moved !== value) slot.replace(moved.requiresGrad_(value.requiresGrad));
    }
    return this;
  }

  /** Lays the weights of all convolutions out anew, which decides for the feature maps too; see `to`. */
  toMemoryFormat_(memoryFormat: WeightFormat): this {
    return this.to({ memoryFormat });
  }

  /** How the weights of convolutions lie. */
  get memoryFormat(): WeightFormat {
    const isLast = this.parameters().some((value) => formatOf(value) === "channels_last");
    return isLast ? "channels_last" : "contiguous_format";
  }

  /**
   * All that decides what the module computes besides its inputs and the values in its tensors: the tensors themselves,
   * and numbers of the program. A recorded graph of its work may be replayed as long as each entry is still the same.
   */
  graphKey(): readonly unknown[] {
    const tensors = [...this.#store.parameters(), ...this.#store.buffers()].map(([, slot]) => slot.value);
    const states = Array.from(this.namedModules(), ([, module]) => [module.#training, ...module.hostState()]);
    return [...tensors, ...states.flat()];
  }

  /** Tensors and numbers that this layer's `forward` reads, besides parameters and buffers. */
  protected hostState(): readonly unknown[] {
    return [];
  }

  train(flag = true): this {
    for (const [, module] of this.namedModules()) module.#training = flag;
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  /** Drops all gradients (they become undefined, not zero, as PyTorch's default). */
  zeroGrad(): void {
    for (const [, slot] of this.#store.parameters()) slot.value.grad = undefined;
  }

  /** Releases every parameter and buffer at once. */
  [Symbol.dispose](): void {
    for (const [, slot] of this.#store.parameters()) slot.dispose();
    for (const [, slot] of this.#store.buffers()) slot.dispose();
  }
}
