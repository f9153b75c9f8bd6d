// Stage 2, first half: what is measured for each image under the frozen base. design.md section 4 tells why the shared
// noises and timesteps of `profile` find the minority and a random draw per image (`single`, `reference`) does not.
import {
  type DiffusionBatch,
  firstCaptions,
  latentsOf,
  stepGenerator,
  type TrainingSet,
} from "../data/index.ts";
import type { Denoiser } from "../pipelines/index.ts";
import type { Scheduler } from "../schedulers/index.ts";
import {
  type Device,
  download,
  type Download,
  full,
  type Generator,
  inferenceMode,
  InvDiffError,
  isHost,
  randint,
  randn,
  scope,
  stack,
  type Tensor,
  upload,
} from "../torch/index.ts";
import { diffusionLoss, type NoiseProcess, perSampleLoss } from "./per-sample-loss.ts";

export type SignalName = "profile" | "single" | "reference";

export interface ProfileOptions {
  /** Timesteps of `profile`; the other signals draw one per image. */
  readonly timesteps: readonly number[];
  /** Noises per timestep of `profile`. */
  readonly noises: number;
  /**
   * What `profile` compares each loss with. "empty-caption": the same image's loss under the empty caption, for the
   * same noise, so that what makes a picture hard as such cancels out and what its caption makes unlikely remains.
   * It needs a base trained with caption dropout. "none": nothing, the loss itself. "both": a column of each.
   */
  readonly contrast?: "empty-caption" | "none" | "both";
}

export interface SignalOptions extends ProfileOptions {
  readonly seed: number;
  readonly batchSize: number;
  /** Only the rows from `first` to before `last`; `first` is a multiple of the batch size. Default: all. */
  readonly rows?: { readonly first: number; readonly last: number };
  /** Called after each batch with the rows done; may wait (a turn of the event loop) and may throw to stop. */
  readonly onBatch?: (done: number, total: number) => void | Promise<void>;
}

export interface SignalColumn {
  readonly timestep: number | "random";
  /** Which of the noises. */
  readonly noise: number;
  /** Whether the loss under the empty caption is subtracted. */
  readonly contrast: boolean;
}

/** Losses of every image in every column. */
export interface Signal {
  /** [N][columns], row-major. */
  readonly losses: Float32Array;
  readonly columns: readonly SignalColumn[];
}

/** The columns that `measureSignal` gives. */
export function signalColumns(name: SignalName, options: ProfileOptions): SignalColumn[] {
  if (name !== "profile") return [{ timestep: "random", noise: 0, contrast: false }];
  const { timesteps, noises, contrast = "empty-caption" } = options;
  const kinds = contrast === "both" ? [false, true] : [contrast === "empty-caption"];
  const numbers = Array.from({ length: noises }, (_, noise) => noise);
  return timesteps.flatMap((timestep) =>
    numbers.flatMap((noise) => kinds.map((contrast) => ({ timestep, noise, contrast }))),
  );
}

/**
 * Measures the named signal under a frozen denoiser; only rows x columns numbers are kept. What is random depends on the
 * seed and on a batch's first row: rows measured in parts give the very numbers of all rows at once.
 */
export async function measureSignal(
  name: SignalName,
  parts: { readonly denoiser: Denoiser; readonly scheduler: Scheduler },
  set: TrainingSet,
  options: SignalOptions,
): Promise<Signal> {
  const { seed, batchSize, timesteps, noises: count, contrast, onBatch } = options;
  const { first: begin, last: end } = options.rows ?? { first: 0, last: set.ids.length };
  if (begin % batchSize !== 0)
    throw new InvDiffError(`measureSignal: no batch of ${batchSize} begins at row ${begin}.`);
  const columns = signalColumns(name, options);
  const losses = new Float32Array((end - begin) * columns.length);
  const captions = firstCaptions(set);
  // A device keeps the noise schedule, so that no batch has to wait for it.
  using process = isHost(set.device) ? undefined : parts.scheduler.forwardProcess(set.device);
  const frozen = { denoiser: parts.denoiser, scheduler: process ?? parts.scheduler };
  using noises = scope(() => normal([count, ...set.latentShape], stepGenerator(seed, 0), set.device));
  using empty = columns.some((column) => column.contrast) ? await emptyStates(set) : undefined;
  let sent: Sent | undefined;
  const receive = async (): Promise<void> => {
    if (!sent) return;
    using numbers = sent.numbers;
    const { first, last } = sent;
    sent = undefined;
    losses.set(numbers.toArray() as Float32Array, (first - begin) * columns.length);
    await onBatch?.(last - begin, end - begin);
  };
  try {
    for (let first = begin; first < end; first += batchSize) {
      const last = Math.min(first + batchSize, end);
      const rows = Int32Array.from({ length: last - first }, (_, i) => first + i);
      const encoded = await set.load({ rows, captions: captions.subarray(first, last) });
      using _moments = encoded.moments;
      using states = encoded.encoderHiddenStates;
      const measure = () => {
        const latents = latentsOf(encoded, set.scalingFactor);
        const draws =
          name === "profile"
            ? sharedDraws(latents, timesteps, noises)
            : [randomDraw(latents, parts.scheduler.numTrainTimesteps, stepGenerator(seed, first))];
        const measured = draws.flatMap((draw) => {
          const loss = (encoderHiddenStates: Tensor) =>
            scope(() => lossOf(name, frozen, { latents, encoderHiddenStates, ...draw }));
          const own = loss(states);
          if (!empty) return [own];
          const difference = own.sub(loss(empty.expand([...states.shape])));
          return contrast === "both" ? [own, difference] : [difference];
        });
        return download(stack(measured, 1));
      };
      const numbers = inferenceMode(() => scope(measure));
      // A device has this batch to work on while the numbers of the one before are looked at and the next one is read.
      await receive().finally(() => (sent = { numbers, first, last }));
      if (isHost(set.device)) await receive();
    }
    await receive();
  } finally {
    sent?.numbers[Symbol.dispose]();
  }
  return { losses, columns };
}

/** What a batch gave, on its way from the device. */
interface Sent {
  readonly numbers: Download;
  readonly first: number;
  readonly last: number;
}

/** Text states of the empty caption, [1, L, D]. */
async function emptyStates(set: TrainingSet): Promise<Tensor> {
  const captions = Int32Array.of(set.captions.length - 1);
  const { moments, encoderHiddenStates } = await set.load({ rows: Int32Array.of(0), captions });
  moments.dispose();
  return encoderHiddenStates;
}

type Draw = Pick<DiffusionBatch, "noise" | "timesteps">;

const normal = (shape: readonly number[], generator: Generator, device: Device): Tensor =>
  upload(randn([...shape], { generator }), device);

/** The same noises and timesteps for every image: losses differ only through what the images show. */
const sharedDraws = ({ shape, device }: Tensor, timesteps: readonly number[], noises: Tensor): Draw[] =>
  timesteps.flatMap((timestep) => {
    const all = full([shape[0]!], timestep, { dtype: "int64", device });
    return noises.split(1, 0).map((noise) => ({ noise, timesteps: all }));
  });

/** A noise and a timestep of its own for each image. */
function randomDraw({ shape, device }: Tensor, trainTimesteps: number, generator: Generator): Draw {
  const noise = normal(shape, generator, device);
  const timesteps = randint(trainTimesteps, [shape[0]!], { generator, dtype: "int64" });
  return { noise, timesteps: upload(timesteps, device) };
}

/** The diffusion loss, [B]; `reference` compares the prediction with the latents, as its code does. */
function lossOf(
  name: SignalName,
  { denoiser, scheduler }: { readonly denoiser: Denoiser; readonly scheduler: NoiseProcess },
  batch: DiffusionBatch,
): Tensor {
  if (name !== "reference") return diffusionLoss(denoiser, scheduler, batch);
  const { latents, noise, timesteps, encoderHiddenStates } = batch;
  const noisyLatents = scheduler.addNoise(latents, noise, timesteps);
  return perSampleLoss(denoiser.forward(noisyLatents, timesteps, encoderHiddenStates), latents);
}
