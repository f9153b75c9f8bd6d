// The guided denoiser: a mean shift added to the frozen base, eps = eps_base + s * G(z, t, c) (paper section 3.3).
// A wrapper with the U-Net's signature; the same strength in training and in sampling.
import { type Lora, repeatable } from "../nn/index.ts";
import type { Denoiser } from "../pipelines/index.ts";
import { noGrad, type Tensor, where } from "../torch/index.ts";

/**
 * What G is:
 * - `difference`: G = eps_phi - eps_base, phi starts as the base, so that G = 0 exactly and every weight is warm;
 * - `residual`: G = a network of its own whose last layer starts at zero (the paper's picture);
 * - `blend`: eps = ratio * eps_delta + (1 - ratio) * eps_base (the reference's code).
 */
export type Guidance = (
  | { readonly form: "difference"; readonly strength: number }
  | { readonly form: "residual"; readonly strength: number }
  | { readonly form: "blend"; readonly ratio: number }
) & {
  /** Below this timestep there is no guidance, and the module is not run; default 0: it is everywhere. */
  readonly from?: number;
};

export type GuidanceForm = Guidance["form"];

/** The trainable part: a network of its own, or low-rank adapters inside the base. */
export type GuidanceModule =
  { readonly kind: "network"; readonly network: Denoiser } | { readonly kind: "lora"; readonly lora: Lora };

export class GuidedDenoiser implements Denoiser {
  private readonly base: Denoiser;
  private readonly module: GuidanceModule;
  private readonly guidance: Guidance;

  constructor(base: Denoiser, module: GuidanceModule, guidance: Guidance) {
    this.base = base;
    this.module = module;
    this.guidance = guidance;
  }

  forward(...args: Parameters<Denoiser["forward"]>): Tensor {
    const [sample, timesteps, encoderHiddenStates, options] = args;
    const { from = 0 } = this.guidance;
    if (from === 0) return this.guided(sample, timesteps, encoderHiddenStates);
    const inside =
      options?.timestep === undefined ? timesteps.ge(from).toNumbers() : [+(options.timestep >= from)];
    if (!inside.includes(1)) return this.frozen(sample, timesteps, encoderHiddenStates);
    const guided = this.guided(sample, timesteps, encoderHiddenStates);
    if (!inside.includes(0)) return guided;
    const mask = timesteps.ge(from).view([-1, 1, 1, 1]);
    return where(mask, guided, this.frozen(sample, timesteps, encoderHiddenStates));
  }

  graphKey(timestep?: number): readonly unknown[] | undefined {
    const { base, guidance, module } = this;
    const { from = 0 } = guidance;
    if (from > 0 && timestep === undefined) return undefined;
    const parts = module.kind === "network" ? [base, module.network] : [base];
    const keys = parts.flatMap((part) => part.graphKey?.(timestep) ?? [undefined]);
    return keys.includes(undefined) ? undefined : [guidance, from > 0 && timestep! >= from, ...keys];
  }

  /** The same at all timesteps: for batches that are known to lie where there is guidance, which then is not looked up. */
  everywhere(): Denoiser {
    return new GuidedDenoiser(this.base, this.module, { ...this.guidance, from: 0 });
  }

  private frozen(...args: Parameters<Denoiser["forward"]>): Tensor {
    const run = (): Tensor => this.base.forward(...args);
    return noGrad(() => (this.module.kind === "lora" ? this.module.lora.withScale(0, run) : run()));
  }

  private trained(...args: Parameters<Denoiser["forward"]>): Tensor {
    const { module } = this;
    if (module.kind === "network") return module.network.forward(...args);
    // Where activations are recomputed in the backward pass, the adapters are on again.
    return repeatable(
      (run) => module.lora.withScale(1, run),
      () => this.base.forward(...args),
    );
  }

  private guided(...args: Parameters<Denoiser["forward"]>): Tensor {
    const { guidance } = this;
    switch (guidance.form) {
      case "difference": {
        const { strength } = guidance;
        // base + 1 * (phi - base) = phi: the base need not run at full strength.
        if (strength === 1) return this.trained(...args);
        if (strength === 0) return this.frozen(...args);
        const base = this.frozen(...args);
        return base.add(this.trained(...args).sub(base), { alpha: strength });
      }
      case "residual":
        return this.frozen(...args).add(this.trained(...args), { alpha: guidance.strength });
      case "blend": {
        // The base first: its activations are gone before the module's are kept.
        const base = this.frozen(...args);
        return this.trained(...args)
          .mul(guidance.ratio)
          .add(base, { alpha: 1 - guidance.ratio });
      }
    }
  }
}
