/** A named slot for a tensor that a module owns: the slot stays when the tensor is replaced (moved, converted). */
import { DisposedTensorError } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";

export class Parameter {
  readonly key: string;
  readonly shape: readonly number[];
  /** False for buffers that no checkpoint holds (they are derived from the configuration). */
  readonly persistent: boolean;
  /** True for buffers that checkpoints may lack. */
  readonly optional: boolean;
  #value: Tensor | undefined;

  constructor(
    key: string,
    value: Tensor,
    { persistent = true, optional = false }: { persistent?: boolean; optional?: boolean | undefined } = {},
  ) {
    this.key = key;
    this.shape = [...value.shape];
    this.persistent = persistent;
    this.optional = optional;
    this.#value = value;
  }

  /** The tensor; throws when its owner released it. */
  get value(): Tensor {
    if (this.#value === undefined) {
      throw new DisposedTensorError(
        `parameter "${this.key}" was released with its model; build or load it again`,
      );
    }
    return this.#value;
  }

  /** Puts another tensor of the same shape in the slot and releases the old one. */
  replace(value: Tensor): void {
    const old = this.#value;
    this.#value = value;
    if (old !== undefined && old !== value) old.dispose();
  }

  dispose(): void {
    this.#value?.dispose();
    this.#value = undefined;
  }
}
