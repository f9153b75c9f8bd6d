/** The model folder's README, with what was measured. */

export interface Measured {
  readonly psnr: number;
  readonly latentStd: number;
  readonly scalingFactor: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly vaeSteps: number;
  readonly refineSteps: number;
  readonly textSteps: number;
  readonly seed: number;
  readonly birdsSeed: number;
  readonly trainImages: number;
  readonly validationImages: number;
}

export const readme = (m: Measured): string => `# Birds: the small model shipped with this repository

A latent diffusion model in diffusers' layout for 64 x 64 pictures, trained by this repository:

- \`vae/\`: AutoencoderKL, 64 x 64 x 3 pictures to 8 x 8 x 4 latents. PSNR of reconstructions of ${m.validationImages} held-out
  pictures: **${m.psnr.toFixed(2)} dB**. Standard deviation of the scaled latents: ${m.latentStd.toFixed(3)}
  (\`scaling_factor\` ${m.scalingFactor}).
- \`text_encoder/\`, \`tokenizer/\`: a two-layer CLIP text encoder with a byte-pair vocabulary of its own; texts of up
  to 16 tokens.
- \`unet/config.json\`, \`scheduler/\`: what the experiment trains; there are no U-Net weights here.

Weights are stored as float16 (${(m.bytes / 1e6).toFixed(2)} MB); load them as float32.

**It knows nothing of the bias**: autoencoder and text encoder saw ${m.trainImages} pictures with every subject half on water and half on
land (Birds, seed ${m.birdsSeed}, balance 0.5), and captions that name the subject only.

Made by \`npm run make:birds-model\`: ${m.textSteps} steps of the text encoder against a small image tower, ${m.vaeSteps} of the autoencoder on
pixels and edges and ${m.refineSteps} more with the tower's features; seed ${m.seed}, one thread,
${Math.round(m.seconds / 60)} minutes on a shared processor. The same machine and libtorch give the same files.
`;
