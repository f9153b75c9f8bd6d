/** Activation functions by the names that diffusers and transformers configurations use. */
import { ConfigError } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";

export type Activation = (xs: Tensor) => Tensor;

/** Sigmoid linear unit; `GroupNorm.forwardThen` knows it by identity. */
export const silu: Activation = (xs) => xs.silu();

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu,
  swish: silu,
  gelu: (xs) => xs.gelu(),
  gelu_new: (xs) => xs.gelu({ approximate: "tanh" }),
  gelu_pytorch_tanh: (xs) => xs.gelu({ approximate: "tanh" }),
  // The sigmoid approximation of OpenAI's CLIP.
  quick_gelu: (xs) => xs.mul(xs.mul(1.702).sigmoid()),
  relu: (xs) => xs.relu(),
  tanh: (xs) => xs.tanh(),
};

/** The activation called `name`. @throws ConfigError naming the option and the known names. */
export function activation(name: string, option = "act_fn"): Activation {
  const found = Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (found === undefined) {
    throw new ConfigError(
      `${option}: unknown activation "${name}"; known are ${Object.keys(ACTIVATIONS).join(", ")}`,
    );
  }
  return found;
}
