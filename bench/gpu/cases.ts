// What is measured: each case is plain JSON that the workers of both languages read. Sizes of a card, or tiny ones that
// a processor does in seconds.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  guidanceUnetConfig,
  STABLE_DIFFUSION_1_4,
  type UNetConfig,
  unetConfig,
  type VaeConfig,
} from "../../src/models/index.ts";
import { goldenDir } from "../../test/golden-dir.ts";

export type Precision = "float32" | "bfloat16";

/** Ways in which our side does a case: operator by operator, or captured as a graph and repeated. */
export type Way = "plain" | "graph";

interface Common {
  /** Without commas: `--cases` lists beginnings of names. */
  readonly name: string;
  readonly ways: readonly Way[];
  /** "eager", what is said after it being another way to write the same in Python: the fastest one counts. */
  readonly pythonWays: readonly string[];
  /** What the issue asks for, in images per second, and of which row. */
  readonly target?: { readonly what: string; readonly imagesPerSecond: number; readonly row?: string };
}

interface Networks {
  readonly unet: Partial<UNetConfig>;
  readonly vae: Partial<VaeConfig>;
  /** [C, h, w] of one image's latents. */
  readonly latentShape: readonly [number, number, number];
  /** [3, H, W] of one image. */
  readonly imageShape: readonly [number, number, number];
  readonly tokens: number;
  readonly textWidth: number;
}

interface Blocks {
  readonly warmup: number;
  /** Measurements, of which the median counts; each is the mean of `steps` calls. */
  readonly blocks: number;
  readonly steps: number;
}

export interface MatmulCase extends Common {
  readonly kind: "matmul";
  readonly size: number;
  readonly precision: Precision;
  readonly warmup: number;
  readonly calls: number;
}

export interface CopyCase extends Common {
  readonly kind: "copy";
  readonly bytes: number;
  readonly warmup: number;
  readonly calls: number;
}

export interface GuidanceCase {
  readonly form: "blend" | "difference";
  readonly module: "copy" | "lora" | "small2";
  readonly ratio: number;
  readonly rank: number;
  /** The module's own architecture, where it is not the base's. */
  readonly unet?: Partial<UNetConfig>;
}

export interface TrainingCase extends Common, Networks, Blocks {
  readonly kind: "training";
  readonly batch: number;
  /** Images of the set. */
  readonly images: number;
  readonly precision: Precision;
  readonly guidance?: GuidanceCase;
}

export interface SamplingCase extends Common, Networks {
  readonly kind: "sampling";
  readonly batch: number;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly precision: Precision;
  /** Steps of the run before, which the kernels are chosen in. */
  readonly warmup: number;
  readonly runs: number;
}

export interface GroupsCase extends Common, Networks {
  readonly kind: "groups";
  readonly batch: number;
  readonly timesteps: readonly number[];
  readonly precision: Precision;
  readonly blocks: number;
}

export interface AutoencoderCase extends Common, Networks, Blocks {
  readonly kind: "encode" | "decode";
  readonly batch: number;
  readonly precision: Precision;
}

export type Case = MatmulCase | CopyCase | TrainingCase | SamplingCase | GroupsCase | AutoencoderCase;

/** How large the cases are. */
export type Scale = "full" | "quick" | "tiny";

const sd14 = (): Networks => ({
  unet: unetConfig(STABLE_DIFFUSION_1_4.unet),
  vae: STABLE_DIFFUSION_1_4.vae,
  ...{ latentShape: [4, 64, 64], imageShape: [3, 512, 512], tokens: 77, textWidth: 768 },
});

/** The golden model: the same architecture, 150 times as narrow. */
function tiny(): Networks {
  const read = (part: string): unknown =>
    JSON.parse(readFileSync(join(goldenDir(), "tiny-sd1", part, "config.json"), "utf8"));
  return {
    unet: unetConfig(read("unet") as Record<string, unknown>),
    vae: read("vae") as Partial<VaeConfig>,
    ...{ latentShape: [4, 8, 8], imageShape: [3, 64, 64], tokens: 77, textWidth: 24 },
  };
}

const EAGER = ["eager"] as const;

/**
 * All cases of a size, in the order in which they are measured: the peak, then what has a target, for there may not be time
 * for all. `graphs`: whether our side has them there.
 */
export function benchmarkCases(scale: Scale, { graphs }: { graphs: boolean }): Case[] {
  const isTiny = scale === "tiny";
  const networks = isTiny ? tiny() : sd14();
  const precision: Precision = isTiny ? "float32" : "bfloat16";
  const ways: readonly Way[] = graphs ? ["plain", "graph"] : ["plain"];
  const pick = <T>(full: T, quick: T, small: T): T => ({ full, quick, tiny: small })[scale];
  const choice = { networks, precision, ways, pick };
  const others = [...trainings(choice), ...samplings(choice), ...inferences(choice)];
  const [first, later] = [true, false].map((wanted) => others.filter(({ target }) => !target !== wanted));
  return [...ceilings(isTiny), ...first!, ...later!];
}

function ceilings(isTiny: boolean): Case[] {
  const calls = isTiny ? { warmup: 1, calls: 3 } : { warmup: 10, calls: 30 };
  const one = { ways: ["plain"], pythonWays: EAGER, ...calls } as const;
  const size = isTiny ? 256 : 8192;
  const precision = isTiny ? "float32" : "bfloat16";
  return [
    { ...one, kind: "matmul", name: `matmul ${size}`, size, precision },
    { ...one, kind: "copy", name: "copy", bytes: isTiny ? 2 ** 22 : 2 ** 30 },
  ];
}

interface Choice {
  readonly networks: Networks;
  readonly precision: Precision;
  readonly ways: readonly Way[];
  readonly pick: <T>(full: T, quick: T, small: T) => T;
}

function trainings({ networks, precision, ways, pick }: Choice): Case[] {
  const common = {
    kind: "training",
    ...{ ...networks, precision, ways },
    ...{ warmup: pick(4, 3, 1), blocks: pick(3, 2, 2), steps: pick(4, 3, 2), images: pick(256, 256, 16) },
  } as const;
  const full = (batch: number): Case => ({
    ...common,
    name: `train batch ${batch}`,
    batch,
    pythonWays: batch === 32 ? ["eager", "eager, NCHW"] : EAGER,
    target: { what: "full training", imagesPerSecond: 120 },
  });
  const batch = pick(32, 32, 2);
  const guided = (
    name: string,
    module: Pick<GuidanceCase, "form" | "module" | "unet">,
    more: Partial<Pick<Common, "pythonWays" | "target">> = {},
  ): Case => {
    const guidance = { ...module, ratio: 0.5, rank: pick(8, 8, 4) };
    return {
      ...common,
      name: `guidance ${name} batch ${batch}`,
      batch,
      guidance,
      pythonWays: EAGER,
      ...more,
    };
  };
  const small2 = pick<Partial<UNetConfig>>(
    guidanceUnetConfig("small2", unetConfig(networks.unet)),
    guidanceUnetConfig("small2", unetConfig(networks.unet)),
    { ...networks.unet, block_out_channels: [8, 16, 16, 16] },
  );
  return [
    ...pick([16, 32, 64], [32], [1, 2]).map(full),
    guided(
      "copy blend",
      { form: "blend", module: "copy" },
      { target: { what: "stage 3 copy (blend)", imagesPerSecond: 90 } },
    ),
    guided(
      "small2 blend",
      { form: "blend", module: "small2", unet: small2 },
      { target: { what: "stage 3 small2 (blend)", imagesPerSecond: 180 } },
    ),
    guided("copy difference", { form: "difference", module: "copy" }),
    guided(
      "adapters difference",
      { form: "difference", module: "lora" },
      { pythonWays: ["eager", "eager, composed weights"] },
    ),
  ];
}

function samplings({ networks, precision, ways, pick }: Choice): Case[] {
  const sample = (steps: number, batch: number): Case => ({
    kind: "sampling",
    name: `sample ${steps} steps batch ${batch}`,
    ...{ ...networks, precision, ways, pythonWays: EAGER },
    ...{ batch, steps, guidanceScale: 7.5, warmup: pick(3, 2, 1), runs: batch === 1 ? pick(2, 1, 2) : 1 },
    ...(steps === 50 &&
      batch === 32 && {
        target: { what: "sampling, 50 steps, batch 32", imagesPerSecond: 3.4, row: "to images" },
      }),
  });
  const batches = pick([32, 8, 1], [32, 1], [2, 1]);
  return pick([50, 20], [50], [4]).flatMap((steps) => batches.map((batch) => sample(steps, batch)));
}

function inferences({ networks, precision, ways, pick }: Choice): Case[] {
  const plain: readonly Way[] = ["plain"];
  const calls = { warmup: pick(3, 2, 1), blocks: pick(3, 2, 2), steps: pick(5, 3, 1) };
  const autoencoder = (kind: "encode" | "decode", dtype: Precision): Case => {
    const batch = pick(8, 8, 2);
    const name = `${kind} batch ${batch} ${dtype}`;
    return { ...networks, ...calls, kind, name, batch, ways: plain, pythonWays: EAGER, precision: dtype };
  };
  return [
    {
      ...networks,
      // As the stage does it: float32, on a card with TF32.
      ...{ kind: "groups", name: `groups profile batch ${pick(64, 64, 2)}`, precision: "float32" },
      batch: pick(64, 64, 2),
      ...{ timesteps: pick([700, 850, 950, 999], [700, 850, 950, 999], [700, 999]) },
      ...{ ways, pythonWays: EAGER, blocks: pick(2, 1, 2) },
    },
    autoencoder("encode", "float32"),
    autoencoder("decode", precision),
  ];
}
