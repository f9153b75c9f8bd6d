// A training step of stage 3 as the reference makes it (blend 0.5 of the base and a trained copy, soft groups, AdamW), at
// the size of the golden model, of the quickstart's and of Stable Diffusion 1.4; with the cache of moments and text states, and with both
// encoders run in every step. Twin: tools/bench/training.py, which knows the latter only. Every case has a process of its
// own, whose peak memory is told as well. Compare with `npm run bench -- training`; BENCH_CASES=small leaves the large one out.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import {
  diffusionLoss,
  groupObjective,
  groupsObjective,
  GuidedDenoiser,
  type Trainer,
  trainStep,
} from "../src/method/index.ts";
import { latentsOf, type TrainingSet } from "../src/data/index.ts";
import {
  AutoencoderKL,
  ClipTextModel,
  loadTextEncoder,
  loadUnet,
  loadVae,
  UNet2DConditionModel,
} from "../src/models/index.ts";
import { AdamW, Lora } from "../src/nn/index.ts";
import { makeScheduler } from "../src/schedulers/index.ts";
import { cat, keep, noGrad, scope, type Tensor, tensor } from "../src/torch/index.ts";
import { calls, median, now, prepare, printResult } from "./measure.ts";

const golden = (name: string): string => fileURLToPath(new URL(`../test/golden/${name}`, import.meta.url));
const birds = (name: string): string => fileURLToPath(new URL(`../assets/birds/${name}`, import.meta.url));
const GROUPS = 4;
/** As tools/bench/training.py: steps that are timed, and made before. */
const SIZES = {
  small: { batch: 16, images: 64, resolution: 64, vocabulary: 500, tokens: 77, steps: calls, warmup: 3 },
  birds: { batch: 32, images: 64, resolution: 64, vocabulary: 500, tokens: 16, steps: calls, warmup: 3 },
  full: {
    ...{ batch: 1, images: 2, resolution: 256, vocabulary: 49408, tokens: 77 },
    ...{ steps: Math.max(2, Math.round(calls / 10)), warmup: 1 },
  },
} as const;
type Size = keyof typeof SIZES;

/** Deterministic numbers in [-1, 1] that both languages make alike. */
const wave = (shape: number[], frequency: number): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(frequency * (i % 99991))),
    { shape },
  );

function models(size: Size): {
  vae: AutoencoderKL;
  text: ClipTextModel;
  unet: () => UNet2DConditionModel;
} {
  if (size === "small")
    return {
      vae: loadVae(golden("tiny-sd1/vae")),
      text: loadTextEncoder(golden("tiny-sd1/text_encoder")),
      unet: () => loadUnet(golden("tiny-sd1/unet")),
    };
  if (size === "birds") {
    const config = JSON.parse(readFileSync(birds("unet/config.json"), "utf8")) as Record<string, unknown>;
    return {
      vae: loadVae(birds("vae"), { dtype: "float32" }),
      text: loadTextEncoder(birds("text_encoder"), { dtype: "float32" }),
      unet: () => UNet2DConditionModel.seeded(config, 0),
    };
  }
  const configs = JSON.parse(readFileSync(golden("architectures.json"), "utf8")) as Record<
    string,
    { config: Record<string, unknown> }
  >;
  const config = (name: string) => configs[`sd14.${name}`]!.config;
  return {
    vae: AutoencoderKL.seeded(config("vae"), 0),
    text: ClipTextModel.seeded(config("text_encoder"), 0),
    unet: () => UNet2DConditionModel.seeded(config("unet"), 0),
  };
}

const rowsOf = (values: ArrayLike<number>): Tensor =>
  tensor(BigInt64Array.from(Array.from(values), BigInt), { dtype: "int64" });

/** Images that are already decoded, with captions that are already tokenized. */
function trainingSet(
  size: Size,
  { vae, text }: { vae: AutoencoderKL; text: ClipTextModel },
  isCached: boolean,
): TrainingSet {
  const { images, resolution, vocabulary, tokens } = SIZES[size];
  const pixels = wave([images, 3, resolution, resolution], 0.37);
  const ids = tensor(
    BigInt64Array.from({ length: images * tokens }, (_, i) => BigInt((i * 7919) % vocabulary)),
    { shape: [images, tokens] },
  );
  const moments = (xs: Tensor): Tensor =>
    scope(() => {
      const { mean, logvar } = vae.encode(xs);
      return cat([mean, logvar], 1);
    });
  const encode = (rows: Tensor) => ({
    moments: moments(pixels.indexSelect(0, rows)),
    encoderHiddenStates: text.forward(ids.indexSelect(0, rows)),
  });
  const all = Array.from({ length: images }, (_, i) => i);
  const cache = isCached
    ? scope(() => {
        const each = all.map((row) => noGrad(() => scope(() => encode(rowsOf([row])))));
        const join = (name: keyof (typeof each)[number]) =>
          keep(
            cat(
              each.map((one) => one[name]),
              0,
            ),
          );
        return { moments: join("moments"), states: join("encoderHiddenStates") };
      })
    : undefined;
  const edge = resolution / 8;
  return {
    ids: all.map(String),
    captions: [...all.map(String), ""],
    captionsOf: all.map((row) => [row]),
    latentShape: [4, edge, edge],
    scalingFactor: vae.config.scaling_factor,
    device: "cpu",
    load: ({ rows }) =>
      Promise.resolve(
        noGrad(() =>
          scope(() =>
            cache
              ? {
                  moments: cache.moments.indexSelect(0, rowsOf(rows)),
                  encoderHiddenStates: cache.states.indexSelect(0, rowsOf(rows)),
                }
              : encode(rowsOf(rows)),
          ),
        ),
      ),
    [Symbol.dispose]() {
      for (const one of [pixels, ids, cache?.moments, cache?.states]) one?.dispose();
    },
  };
}

/** Row i belongs to the groups with the weights 1 + (i + 3 g) % 5, scaled to sum to 1. */
const groupWeights = (images: number): Float32Array =>
  Float32Array.from({ length: images }, (_, i) => i).reduce(
    (weights, i) => {
      const row = Array.from({ length: GROUPS }, (_, g) => 1 + ((i + 3 * g) % 5));
      const total = row.reduce((a, b) => a + b);
      row.forEach((value, g) => (weights[i * GROUPS + g] = value / total));
      return weights;
    },
    new Float32Array(images * GROUPS),
  );

/** The reference's recipe with and without the cache, and what this program does by default instead of the blend. */
const WAYS = ["with cache", "no cache", "with cache, difference", "with cache, adapters"] as const;
type Way = (typeof WAYS)[number];

/** The guidance of a way around the base, and its trained tensors. */
function guidanceOf(way: Way, base: UNet2DConditionModel): [GuidedDenoiser, ReadonlyMap<string, Tensor>] {
  const form = { form: "difference", strength: 1 } as const;
  if (way === "with cache, adapters") {
    const lora = new Lora(base, { rank: 8 });
    return [new GuidedDenoiser(base, { kind: "lora", lora }, form), lora.stateDict()];
  }
  const network = base.clone().requiresGrad_();
  const isBlend = way !== "with cache, difference";
  if (isBlend)
    noGrad(() => ["weight", "bias"].forEach((part) => network.stateDict().get(`conv_out.${part}`)!.zero_()));
  const module = { kind: "network", network } as const;
  return [
    new GuidedDenoiser(base, module, isBlend ? { form: "blend", ratio: 0.5 } : form),
    network.stateDict(),
  ];
}

async function measure(size: Size, way: Way): Promise<Record<string, number>> {
  const { batch, images, steps, warmup } = SIZES[size];
  const isCached = way !== "no cache";
  const { vae, text, unet } = models(size);
  using set = trainingSet(size, { vae, text }, isCached);
  if (isCached) for (const encoder of [vae, text]) encoder[Symbol.dispose]();

  const base = unet().requiresGrad_(false);
  const [denoiser, trained] = guidanceOf(way, base);
  const weights = groupWeights(images);
  const parameters = [...trained.values()];
  const trainer: Trainer = {
    denoiser,
    scheduler: makeScheduler("ddpm", {
      ...{ beta_start: 0.00085, beta_end: 0.012, beta_schedule: "scaled_linear" },
    }),
    objective: groupsObjective({ weights, count: GROUPS, lambda: 1 }),
    parameters,
    optimizer: new AdamW(trained, { lr: 1e-4 }),
    learningRate: () => 1e-4,
    maxGradNorm: 1,
    seed: 0,
    draw: { trainTimesteps: 1000 },
  };
  const values: Record<string, number> = {};
  // On the same noise and weights both languages must see the same loss: they do the same work.
  if (size === "small" && (way === "with cache" || way === "no cache"))
    values["loss of given noise, millionths"] = 1e6 * (await givenLoss(trainer, set, weights));
  let step = 0;
  const once = async (): Promise<number> => {
    const rows = Int32Array.from({ length: batch }, (_, i) => (step * batch + i) % images);
    const start = now();
    await trainStep(trainer, set, rows, step++);
    return now() - start;
  };
  for (let i = 0; i < warmup; i++) await once();
  const times: number[] = [];
  for (let i = 0; i < steps; i++) times.push(await once());
  return { step: median(times), "peak memory, MB": process.resourceUsage().maxRSS / 1024, ...values };
}

async function givenLoss(trainer: Trainer, set: TrainingSet, weights: Float32Array): Promise<number> {
  const rows = Int32Array.from({ length: SIZES.small.batch }, (_, i) => i);
  const encoded = await set.load({ rows, captions: rows });
  using moments = encoded.moments;
  using encoderHiddenStates = encoded.encoderHiddenStates;
  return noGrad(() =>
    scope(() => {
      const latents = latentsOf({ moments, encoderHiddenStates }, set.scalingFactor);
      const noise = wave([...latents.shape], 1.3);
      const timesteps = rowsOf(rows.map((row) => (row * 61) % 1000));
      const losses = diffusionLoss(trainer.denoiser, trainer.scheduler, {
        ...{ latents, noise, timesteps, encoderHiddenStates },
      });
      const own = tensor(weights.subarray(0, rows.length * GROUPS), { shape: [rows.length, GROUPS] });
      return groupObjective(losses, own, 1).loss.item();
    }),
  );
}

/** One case in a process of its own: peak memory is a process's, not a step's. */
function inChild(size: string, way: string): Record<string, number> {
  const args = ["--import", "tsx", fileURLToPath(import.meta.url), size, way];
  const { stdout, status } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`${size}, ${way} failed with exit code ${status}`);
  const values = JSON.parse(stdout) as Record<string, number>;
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`${size}: ${name} [${way}]`, value]),
  );
}

const [size, way] = process.argv.slice(2);
prepare();
if (size === undefined) {
  const sizes = (process.env["BENCH_CASES"] ?? Object.keys(SIZES).join()).split(",");
  const results = sizes.flatMap((one) => WAYS.map((other) => inChild(one, other)));
  printResult("ms", Object.assign({}, ...results) as Record<string, number>);
} else {
  console.log(JSON.stringify(await measure(size as Size, way as Way)));
}
