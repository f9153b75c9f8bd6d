// Stage 2, first half: what is measured for each image under the frozen base. design.md section 4 tells why the shared
// noises and timesteps of `profile` find the minority and a random draw per image (`single`, `reference`) does not.
import type { Denoiser } from "../pipelines/index.ts";
import type { Scheduler } from "../schedulers/index.ts";
import { full, inferenceMode, randint, randn, scope, stack, type Tensor, tensor } from "../torch/index.ts";
import { type LatentSet, stepGenerator } from "./latent-set.ts";
import { diffusionLoss, perSampleLoss } from "./per-sample-loss.ts";

export type SignalName = "profile" | "single" | "reference";

export interface SignalOptions {
  readonly seed: number;
  readonly batchSize: number;
  /** Timesteps of `profile`; the other signals draw one per image. */
  readonly timesteps: readonly number[];
  /** Noises per timestep of `profile`. */
  readonly noises: number;
  /**
   * What `profile` compares each loss with. "empty-caption": the same image's loss under the empty caption, for the
   * same noise, so that what makes a picture hard as such cancels out and what its caption makes unlikely remains.
   * It needs a base trained with caption dropout. "none": the loss itself.
   */
  readonly contrast?: "empty-caption" | "none";
  /** Called after each batch; may wait (a turn of the event loop) and may throw to stop. */
  readonly onBatch?: (done: number, total: number) => void | Promise<void>;
}

/** Losses of every image in every column; a column is one (timestep, noise) pair. */
export interface Signal {
  /** [N][columns], row-major. */
  readonly losses: Float32Array;
  readonly columns: readonly { readonly timestep: number | "random"; readonly noise: number }[];
}

interface Parts {
  readonly denoiser: Denoiser;
  readonly scheduler: Scheduler;
}

/** Measures the named signal over the whole set; only N x columns numbers are kept. */
export function measureSignal(
  name: SignalName,
  parts: Parts,
  set: LatentSet,
  options: SignalOptions,
): Promise<Signal> {
  return name === "profile" ? profile(parts, set, options) : randomDraw(name, parts, set, options);
}

/** The same noises and timesteps for every image: images differ by their loss only through what they show. */
async function profile(
  { denoiser, scheduler }: Parts,
  set: LatentSet,
  options: SignalOptions,
): Promise<Signal> {
  const { timesteps, noises: count, seed, contrast = "empty-caption" } = options;
  const [, ...shape] = set.latents.shape;
  const { device } = set.latents;
  const draw = () => randn([count, ...shape], { generator: stepGenerator(seed, 0) }).to(device);
  using noises = scope(draw);
  const columns = timesteps.flatMap((timestep) =>
    Array.from({ length: count }, (_, noise) => ({ timestep, noise })),
  );
  using empty = set.states.slice(0, set.captions.length - 1);
  const losses = await inBatches(set, options, columns.length, (rows) =>
    stack(
      columns.map(({ timestep, noise }) => {
        const batch = {
          ...rows,
          noise: noises.slice(0, noise, noise + 1),
          timesteps: full([rows.latents.shape[0]!], timestep, { dtype: "int64", device }),
        };
        const own = diffusionLoss(denoiser, scheduler, batch);
        if (contrast === "none") return own;
        const encoderHiddenStates = empty.expand([...rows.encoderHiddenStates.shape]);
        return own.sub(diffusionLoss(denoiser, scheduler, { ...batch, encoderHiddenStates }));
      }),
      1,
    ),
  );
  return { losses, columns };
}

/** One random timestep and noise per image; `reference` compares the prediction with the latents, as its code does. */
async function randomDraw(
  name: "single" | "reference",
  { denoiser, scheduler }: Parts,
  set: LatentSet,
  options: SignalOptions,
): Promise<Signal> {
  const losses = await inBatches(set, options, 1, (rows, first) => {
    const generator = stepGenerator(options.seed, first);
    const { device } = rows.latents;
    const noise = randn([...rows.latents.shape], { generator }).to(device);
    const drawn = randint(scheduler.numTrainTimesteps, [noise.shape[0]!], { generator, dtype: "int64" });
    const timesteps = drawn.to(device);
    if (name === "single")
      return diffusionLoss(denoiser, scheduler, { ...rows, noise, timesteps }).unsqueeze(1);
    const noisyLatents = scheduler.addNoise(rows.latents, noise, timesteps);
    const prediction = denoiser.forward(noisyLatents, timesteps, rows.encoderHiddenStates);
    return perSampleLoss(prediction, rows.latents).unsqueeze(1);
  });
  return { losses, columns: [{ timestep: "random", noise: 0 }] };
}

type Rows = { latents: Tensor; encoderHiddenStates: Tensor };

async function inBatches(
  set: LatentSet,
  { batchSize, onBatch }: SignalOptions,
  columns: number,
  measure: (rows: Rows, first: number) => Tensor,
): Promise<Float32Array> {
  const total = set.ids.length;
  const losses = new Float32Array(total * columns);
  for (let first = 0; first < total; first += batchSize) {
    const last = Math.min(first + batchSize, total);
    const part = inferenceMode(() =>
      scope(() => {
        const captions = tensor(set.captionOf.slice(first, last), {
          dtype: "int64",
          device: set.latents.device,
        });
        const rows = {
          latents: set.latents.slice(0, first, last),
          encoderHiddenStates: set.states.indexSelect(0, captions),
        };
        return measure(rows, first).toArray() as Float32Array;
      }),
    );
    losses.set(part, first * columns);
    await onBatch?.(last, total);
  }
  return losses;
}
