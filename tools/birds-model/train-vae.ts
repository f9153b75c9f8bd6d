/** Trains the autoencoder: 64 x 64 pictures to 8 x 8 x 4 latents and back. */
import { AutoencoderKL, type VaeConfig } from "../../src/models/index.ts";
import { AdamW, buildFromTensors, clipGradNorm_, lrSchedule } from "../../src/nn/index.ts";
import { Generator, inferenceMode, keep, randn, scope, type Tensor } from "../../src/torch/index.ts";
import { channelsLast, imageBatches } from "./image-batches.ts";
import type { ImageTower } from "./image-tower.ts";
import { meanLatents } from "./reconstruction.ts";
import { vaeLoss } from "./vae-loss.ts";

const CHANNELS = [16, 32, 64, 96];
const CONFIG: Partial<VaeConfig> = {
  down_block_types: CHANNELS.map(() => "DownEncoderBlock2D"),
  up_block_types: CHANNELS.map(() => "UpDecoderBlock2D"),
  block_out_channels: CHANNELS,
  layers_per_block: 1,
  latent_channels: 4,
  norm_num_groups: 8,
  sample_size: 64,
  force_upcast: false,
};

export interface VaeTraining {
  readonly steps: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly seed: number;
  /** Continues with this one (and releases it) instead of a new one. */
  readonly start?: AutoencoderKL;
  /** Adds the error of its features, see vae-loss.ts. */
  readonly tower?: ImageTower;
  readonly logEvery: number;
  readonly log: (vae: AutoencoderKL, progress: VaeProgress) => void;
}

/** Means over the steps since the last report. */
export interface VaeProgress {
  readonly step: number;
  readonly pixels: number;
  readonly edges: number;
  readonly kl: number;
  /** Milliseconds of work per step. */
  readonly stepMs: number;
}

/** @param images uint8 [N, 3, 64, 64]. The scaling factor is still the default; see `measureScaling`. */
export function trainVae(images: Tensor, options: VaeTraining): AutoencoderKL {
  const { steps, batchSize, seed, start, tower, logEvery, log } = options;
  const vae = inChannelsLast(start ?? AutoencoderKL.seeded(CONFIG, seed)).train();
  const rate = lrSchedule("cosine", { lr: options.lr, warmupSteps: 100, totalSteps: steps });
  using optimizer = new AdamW(vae.namedParameters(), { betas: [0.9, 0.99], weightDecay: 1e-4 });
  const generator = new Generator().manualSeed(seed);
  const nextBatch = imageBatches(images, batchSize, seed);
  const parameters = vae.parameters();

  const step = (): [number, number, number] =>
    scope(() => {
      const { images: batch } = nextBatch();
      const posterior = vae.encode(batch);
      const noise = channelsLast(randn([...posterior.mean.shape], { generator }));
      const { loss, pixels, edges, kl } = vaeLoss(batch, vae.decode(posterior.sample(noise)), {
        posterior,
        tower,
      });
      loss.backward();
      clipGradNorm_(parameters, 1);
      optimizer.step();
      optimizer.zeroGrad();
      return [pixels.item(), edges.item(), kl.item()];
    });

  let sums = [0, 0, 0];
  let since = performance.now();
  for (let i = 0, counted = 0; i < steps; i++) {
    // The first step of a warm-up from 0 would do nothing.
    optimizer.lr = rate(Math.max(i, 1));
    sums = step().map((value, k) => value + sums[k]!);
    counted++;
    if ((i + 1) % logEvery !== 0 && i + 1 !== steps) continue;
    const stepMs = (performance.now() - since) / counted;
    const [pixels, edges, kl] = sums.map((sum) => sum / counted) as [number, number, number];
    log(vae, { step: i + 1, pixels, edges, kl, stepMs });
    [sums, counted, since] = [[0, 0, 0], 0, performance.now()];
  }
  return vae.eval();
}

/** The same autoencoder with the factor that brings the latents of `images` to unit variance. */
export function measureScaling(vae: AutoencoderKL, images: Tensor): AutoencoderKL {
  const deviation = inferenceMode(() =>
    scope(() => meanLatents(vae, images).flatten().std([0], { correction: 1 }).item()),
  );
  const config = { ...vae.config, scaling_factor: Number((1 / deviation).toPrecision(6)) };
  return buildFromTensors(vae.stateDict(), (vs) => new AutoencoderKL(vs, config));
}

/** Weights in the layout of the pictures: otherwise every convolution would bring them there first. */
function inChannelsLast(vae: AutoencoderKL): AutoencoderKL {
  const tensors = scope(
    () => new Map([...vae.stateDict()].map(([key, value]) => [key, keep(channelsLast(value.detach()))])),
  );
  vae[Symbol.dispose]();
  return buildFromTensors(tensors, (vs) => new AutoencoderKL(vs, vae.config));
}
