// What is fuzzed: for each kind the files to begin with, how they are damaged, and the readers they are given to.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  describeTorchFile,
  readJsonObject,
  readModelIndex,
  readSafetensors,
  readSafetensorsHeader,
  readShardIndex,
  readTorchFile,
  readTorchStateDict,
} from "../../src/checkpoint/index.ts";
import {
  AutoencoderKL,
  clipConfig,
  clipTextConfig,
  ClipTextModel,
  UNet2DConditionModel,
  unetConfig,
  vaeConfig,
} from "../../src/models/index.ts";
import { ParamStore } from "../../src/nn/index.ts";
import { loadScheduler, SCHEDULERS, type SchedulerName } from "../../src/schedulers/index.ts";
import type { Tensor } from "../../src/torch/index.ts";
import { goldenDir } from "../../test/golden-dir.ts";
import { asComparable, disposeTree, torchFile, torchFileNames } from "../../test/torch-files.ts";
import { type Mutate, mutateBytes } from "./bytes.ts";
import { mutateJson } from "./json.ts";
import { mutatePickle } from "./pickles.ts";
import { makeRandom, type Random } from "./random.ts";
import { mutateSafetensors } from "./safetensors.ts";
import { mutateZip } from "./zips.ts";

export interface Kind {
  /** The input's name in its folder: readers look for certain ones. */
  readonly file: string;
  /** Contents to begin with. */
  readonly seeds: () => Buffer[];
  readonly mutate: Mutate;
  /** Reads the input; what it throws is judged. */
  readonly run: (path: string, random: Random) => void;
}

const golden = (pattern: RegExp): Buffer[] =>
  readdirSync(goldenDir(), { recursive: true, encoding: "utf8" })
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => readFileSync(join(goldenDir(), name)));

const torchSeeds = (isKind: (bytes: Buffer, name: string) => boolean): Buffer[] =>
  torchFileNames()
    .map((name) => [readFileSync(torchFile(name)), name] as const)
    .filter(([bytes, name]) => isKind(bytes, name))
    .map(([bytes]) => bytes);

/** Uses every element, so that a view beyond its data would be noticed. */
function use(tensors: ReadonlyMap<string, Tensor>): void {
  for (const tensor of tensors.values()) {
    tensor.toArray();
    tensor.dispose();
  }
}

const readTorch = (path: string, random: Random): void => {
  // Each input meets one reader: the first error would hide the others.
  const reader = random.int(3);
  if (reader === 0) describeTorchFile(path);
  else if (reader === 1) use(readTorchStateDict(path));
  else {
    const value = readTorchFile(path);
    asComparable(value);
    disposeTree(value);
  }
};

const mostly =
  (mutate: Mutate): Mutate =>
  (bytes, random) =>
    random.chance(0.8) ? mutate(bytes, random) : mutateBytes(bytes, random);

/** A configuration that was read must make a model, here one of shapes without memory; those of very many layers are not made. */
function build<C extends object>(read: C, make: (vs: ParamStore, read: C) => Disposable): void {
  const counts = Object.entries(read).filter(([key]) => /layers/.test(key));
  if (counts.every(([, value]) => Math.max(...[value as number | number[]].flat()) <= 8))
    make(ParamStore.shapesOnly(), read)[Symbol.dispose]();
}

const config = (path: string): Record<string, unknown> => readJsonObject(path);
const json = (pattern: RegExp, run: Kind["run"], file = "config.json"): Kind => ({
  file,
  seeds: () => golden(pattern),
  mutate: mutateJson,
  run,
});

/** A scheduler of the file and of every other class on the same options, and a few timesteps of it. */
function readScheduler(path: string, random: Random): void {
  const as = random.pick([undefined, ...(Object.keys(SCHEDULERS) as SchedulerName[])]);
  using scheduler = loadScheduler(dirname(path), { as });
  scheduler.setTimesteps(1 + random.int(20));
}

const indexSeeds = (): Buffer[] => [
  ...golden(/model_index\.json$/),
  Buffer.from('{"_class_name":"StableDiffusionPipeline","unet":["diffusers","UNet2DConditionModel"]}'),
];

const shardSeeds = (): Buffer[] =>
  [1, 3].map((shards) => {
    const entries = Array.from({ length: 6 }, (_, i) => [
      `layer.${i}`,
      `model-0000${1 + (i % shards)}-of-0000${shards}.safetensors`,
    ]);
    return Buffer.from(
      JSON.stringify({ metadata: { total_size: 96 }, weight_map: Object.fromEntries(entries) as object }),
    );
  });

export const KINDS: Readonly<Record<string, Kind>> = {
  safetensors: {
    file: "model.safetensors",
    seeds: () => [
      readFileSync(torchFile("expected.safetensors")),
      ...golden(/^(grouper|reference-files)\.safetensors$/),
    ],
    mutate: mutateSafetensors,
    run: (path, random) =>
      random.chance(0.2) ? void readSafetensorsHeader(path) : use(readSafetensors(path)),
  },
  "torch zip": {
    file: "model.pth",
    seeds: () => torchSeeds((bytes) => bytes.toString("latin1", 0, 2) === "PK"),
    mutate: mutateZip,
    run: readTorch,
  },
  "torch legacy": {
    file: "model.pth",
    seeds: () => torchSeeds((_, name) => name.includes("legacy")),
    mutate: mostly(mutatePickle),
    run: readTorch,
  },
  pickle: {
    file: "data.pkl",
    seeds: () => [
      ...torchSeeds((_, name) => name.endsWith(".pkl")),
      ...golden(/reference-files\/index2index\.pkl$/),
    ],
    mutate: mostly(mutatePickle),
    run: readTorch,
  },
  "unet config": json(/tiny-sd\d\/unet\/config\.json$/, (path) => {
    build(unetConfig(config(path)), (vs, read) => new UNet2DConditionModel(vs, read));
  }),
  "vae config": json(/tiny-sd\d\/vae\/config\.json$/, (path) => {
    build(vaeConfig(config(path)), (vs, read) => new AutoencoderKL(vs, read));
  }),
  "text config": json(/tiny-sd\d\/text_encoder\/config\.json$/, (path) => {
    build(clipTextConfig(config(path)), (vs, read) => new ClipTextModel(vs, read));
  }),
  "clip config": json(/tiny-clip\/config\.json$/, (path) => void clipConfig(config(path))),
  "scheduler config": json(/scheduler_config\.json$/, readScheduler, "scheduler_config.json"),
  "model index": {
    ...json(/./, (path) => void readModelIndex(dirname(path)), "model_index.json"),
    seeds: indexSeeds,
  },
  "shard index": {
    ...json(/./, (path) => void readShardIndex(path), "model.safetensors.index.json"),
    seeds: shardSeeds,
  },
};

/** Kinds that fail on purpose: the fuzzer's own test. */
export const SELF_TESTS: Readonly<Record<string, Kind>> = {
  "self-test crash": selfTest(() => process.kill(process.pid, "SIGSEGV")),
  "self-test bug": selfTest(() => {
    throw new TypeError("not what a reader may throw");
  }),
  "self-test hang": selfTest(() => {
    for (;;);
  }),
  "self-test memory": selfTest(() => void hoard.push(Buffer.alloc(600 * 2 ** 20, 1))),
};

const hoard: Buffer[] = [];

function selfTest(fail: () => void): Kind {
  const run = (path: string) => {
    if (readFileSync(path, "latin1") === "3") fail();
  };
  return { file: "x", seeds: () => [], mutate: (bytes) => bytes, run };
}

const cache: Record<string, Buffer[]> = {};

/** The input of that number: the same for the same seed. */
export function makeInput(name: string, { seed, number }: { seed: number; number: number }): Buffer {
  const kind = kindOf(name);
  const random = makeRandom(seed, name, number);
  const seeds = (cache[name] ??= kind.seeds());
  return seeds.length === 0 ? Buffer.from(String(number)) : kind.mutate(random.pick(seeds), random);
}
export const kindOf = (name: string): Kind => {
  const kind = { ...KINDS, ...SELF_TESTS }[name];
  if (!kind)
    throw new Error(`no kind of input is called ${name}; there are ${Object.keys(KINDS).join(", ")}`);
  return kind;
};

/** Writes the input into `folder` and gives it to its readers. */
export function runInput(name: string, folder: string, at: { seed: number; number: number }): void {
  const { file, run } = kindOf(name);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, basename(file));
  writeFileSync(path, makeInput(name, at));
  run(path, makeRandom(at.seed, name, at.number, "run"));
}
