// The guided denoiser: a mean shift added to the frozen base, eps = eps_base + s * G(z, t, c) (paper section 3.3).
// A wrapper with the U-Net's signature; the same strength in training and in sampling.
import type { Lora } from "../nn/index.ts";
import type { Denoiser } from "../pipelines/index.ts";
import { noGrad, type Tensor } from "../torch/index.ts";

/**
 * What G is:
 * - `difference`: G = eps_phi - eps_base, phi starts as the base, so that G = 0 exactly and every weight is warm;
 * - `residual`: G = a network of its own whose last layer starts at zero (the paper's picture);
 * - `blend`: eps = ratio * eps_delta + (1 - ratio) * eps_base (the reference's code).
 */
export type Guidance =
  | { readonly form: "difference"; readonly strength: number }
  | { readonly form: "residual"; readonly strength: number }
  | { readonly form: "blend"; readonly ratio: number };

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

  forward(sample: Tensor, timesteps: Tensor, encoderHiddenStates: Tensor): Tensor {
    const { guidance, module } = this;
    const frozen = (): Tensor => {
      const run = (): Tensor => this.base.forward(sample, timesteps, encoderHiddenStates);
      return noGrad(() => (module.kind === "lora" ? module.lora.withScale(0, run) : run()));
    };
    const trained = (): Tensor =>
      module.kind === "lora"
        ? module.lora.withScale(1, () => this.base.forward(sample, timesteps, encoderHiddenStates))
        : module.network.forward(sample, timesteps, encoderHiddenStates);
    switch (guidance.form) {
      case "difference": {
        const { strength } = guidance;
        // base + 1 * (phi - base) = phi: the base need not run at full strength.
        if (strength === 1) return trained();
        if (strength === 0) return frozen();
        const base = frozen();
        return base.add(trained().sub(base), { alpha: strength });
      }
      case "residual":
        return frozen().add(trained(), { alpha: guidance.strength });
      case "blend":
        return trained()
          .mul(guidance.ratio)
          .add(frozen(), { alpha: 1 - guidance.ratio });
    }
  }
}
