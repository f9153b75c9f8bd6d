/**
 * Low-rank adapters on chosen Linear and Conv2d layers of a model. The base's weights stay shared and untouched: the
 * same network is the base with the adapters off and the adapted one with them on. Attach them after `model.to(...)`:
 * they take dtype and device from the layers.
 */
import { CheckpointError, ConfigError, Generator, noGrad, scope } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { repeatable } from "./checkpointing.ts";
import { Conv2d } from "./conv2d.ts";
import { keyErrors } from "./key-errors.ts";
import { Linear } from "./linear.ts";
import { LoraAdapter } from "./lora-adapter.ts";
import type { Module } from "./module.ts";

export interface LoraOptions {
  readonly rank: number;
  /** Default: the rank, so that the update counts once. */
  readonly alpha?: number;
  /** Chooses layers by their dotted path ("mid_block.resnets.0.conv1"). Default: all Linear and Conv2d layers. */
  readonly targets?: (path: string, layer: Linear | Conv2d) => boolean;
  /** For the random half (`lora_A`); default: a new one with seed 0. */
  readonly generator?: Generator;
}

export class Lora {
  readonly rank: number;
  readonly alpha: number;
  readonly #layers: ReadonlyMap<string, { layer: Linear | Conv2d; adapter: LoraAdapter }>;
  #merged = 0;

  /** Attaches adapters to `model`; its output is exactly the same until they are trained. */
  constructor(model: Module, { rank, alpha = rank, targets = () => true, generator }: LoraOptions) {
    if (!Number.isInteger(rank) || rank < 1)
      throw new ConfigError(`LoRA rank must be a positive integer, got ${rank}`);
    this.rank = rank;
    this.alpha = alpha;
    const draws = generator ?? new Generator().manualSeed(0);
    const layers = new Map<string, { layer: Linear | Conv2d; adapter: LoraAdapter }>();
    for (const [path, layer] of model.namedModules()) {
      if (!(layer instanceof Linear || layer instanceof Conv2d) || !targets(path, layer)) continue;
      if (layer.adapter !== undefined)
        throw new ConfigError(`layer ${path} has a LoRA adapter already; detach it first`);
      layer.adapter = new LoraAdapter(path, layer, { rank, alpha, generator: draws });
      layers.set(path, { layer, adapter: layer.adapter });
    }
    if (layers.size === 0)
      throw new ConfigError("LoRA: the target predicate chose no Linear or Conv2d layer");
    this.#layers = layers;
  }

  /** Paths of the adapted layers. */
  get targetModules(): string[] {
    return [...this.#layers.keys()];
  }

  /** Strength of all adapters; 0 is the base exactly and skips the computation. */
  set scale(value: number) {
    for (const { adapter } of this.#layers.values()) adapter.scale = value;
  }

  get scale(): number {
    const [first] = this.#layers.values();
    return first?.adapter.scale ?? 0;
  }

  /** Runs `fn` (synchronously) at another strength. */
  withScale<T>(scale: number, fn: () => T): T {
    return repeatable((run) => {
      const before = this.scale;
      this.scale = scale;
      try {
        return run();
      } finally {
        this.scale = before;
      }
    }, fn);
  }

  /** Trainable tensors with keys `<path>.lora_A.weight` and `<path>.lora_B.weight`. */
  *namedParameters(): IterableIterator<[string, Tensor]> {
    for (const { adapter } of this.#layers.values()) {
      yield [adapter.down.key, adapter.down.value];
      yield [adapter.up.key, adapter.up.value];
    }
  }

  parameters(): Tensor[] {
    return Array.from(this.namedParameters(), ([, value]) => value);
  }

  parameterCount(): number {
    return this.parameters().reduce((sum, { numel }) => sum + numel, 0);
  }

  /**
   * The adapters' tensors (not copies) under the keys of PEFT. `prefix: "unet"` gives those of diffusers'
   * `save_lora_weights`, none those of `save_lora_adapter`.
   */
  stateDict({ prefix = "" }: { prefix?: string } = {}): Map<string, Tensor> {
    const head = prefix === "" ? "" : `${prefix}.`;
    return new Map(Array.from(this.namedParameters(), ([key, value]) => [`${head}${key}`, value]));
  }

  /** safetensors metadata from which diffusers restores rank and alpha. */
  metadata({ prefix = "" }: { prefix?: string } = {}): Record<string, string> {
    const head = prefix === "" ? "" : `${prefix}.`;
    const { rank, alpha, targetModules } = this;
    const config = {
      r: rank,
      lora_alpha: alpha,
      target_modules: targetModules,
      lora_dropout: 0,
      bias: "none",
    };
    const named = Object.entries({ peft_type: "LORA", ...config }).map(([key, value]) => [
      `${head}${key}`,
      value,
    ]);
    return { format: "pt", lora_adapter_metadata: JSON.stringify(Object.fromEntries(named)) };
  }

  /** Copies values into the adapters. @throws CheckpointError listing every key that does not fit. */
  loadStateDict(state: ReadonlyMap<string, Tensor>, { prefix = "" }: { prefix?: string } = {}): void {
    const own = this.stateDict({ prefix });
    const message = keyErrors({
      missing: [...own.keys()].filter((key) => !state.has(key)),
      unexpected: [...state.keys()].filter((key) => !own.has(key)),
      mismatched: [...own].flatMap(([key, { shape }]) => {
        const given = state.get(key)?.shape ?? shape;
        return given.join() === shape.join()
          ? []
          : [`${key}: [${given.join(", ")}] given, [${shape.join(", ")}] expected`];
      }),
    });
    if (message !== undefined) throw new CheckpointError(message);
    noGrad(() => {
      scope(() => {
        for (const [key, value] of own) value.copy_(state.get(key)!);
      });
    });
  }

  /** Adds `scale` times the updates to the model's weights and switches the adapters off: sampling costs nothing then. */
  merge(scale = 1): void {
    if (this.#merged !== 0)
      throw new ConfigError("LoRA: the adapters are merged already; call unmerge() first");
    for (const { adapter } of this.#layers.values()) adapter.mergeInto(scale);
    this.#merged = scale;
    this.scale = 0;
  }

  /** Takes a merge back (up to rounding) and switches the adapters on again. */
  unmerge(): void {
    for (const { adapter } of this.#layers.values()) adapter.mergeInto(-this.#merged);
    this.scale = this.#merged;
    this.#merged = 0;
  }

  /** Detaches the adapters from the model and releases them. */
  [Symbol.dispose](): void {
    for (const { layer, adapter } of this.#layers.values()) {
      if (layer.adapter === adapter) layer.adapter = undefined;
      adapter.dispose();
    }
  }
}

/** Runs `fn` with the adapters at `scale` (0: the base model). */
export const withLora = <T>(lora: Lora, scale: number, fn: () => T): T => lora.withScale(scale, fn);
