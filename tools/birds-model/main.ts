/**
 * Makes the small model that is shipped in assets/birds. Run: npm run make:birds-model
 * Options: --out DIR, --vae-steps N, --refine-steps N, --text-steps N, --text-lr X, --sheet FILE.png (reconstructions to look at).
 * --vae-steps 0 refines the autoencoder that is in the folder.
 */
import { mkdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { findWeights } from "../../src/checkpoint/index.ts";
import { loadVae, saveTextEncoder, saveVae, type AutoencoderKL } from "../../src/models/index.ts";
import {
  scope,
  setFlushDenormal,
  setNumThreads,
  writeFileAtomic,
  type Tensor,
} from "../../src/torch/index.ts";
import { balancedBirds, BIRDS_SEED } from "./birds.ts";
import { makeTokenizer, writeConfigurations } from "./model-folder.ts";
import { readme } from "./readme.ts";
import { meanLatents, psnr, reconstructionSheet } from "./reconstruction.ts";
import { trainText } from "./train-text.ts";
import { measureScaling, trainVae, type VaeProgress } from "./train-vae.ts";

const SEED = 0;
const COUNTS = { train: 6000, validation: 512 };

const { values: options } = parseArgs({
  options: {
    out: { type: "string", default: "assets/birds" },
    "vae-steps": { type: "string", default: "5600" },
    "refine-steps": { type: "string", default: "4500" },
    "text-lr": { type: "string", default: "3e-3" },
    "text-steps": { type: "string", default: "300" },
    sheet: { type: "string" },
  },
});
const out = resolve(options.out);
const vaeSteps = Number(options["vae-steps"]);
const refineSteps = Number(options["refine-steps"]);
const textSteps = Number(options["text-steps"]);

setFlushDenormal(true);
setNumThreads(1); // Sums are then always made in one order.

const start = performance.now();
const seconds = (): number => (performance.now() - start) / 1000;
const say = (text: string): void => console.log(`${seconds().toFixed(0).padStart(5)} s  ${text}`);

mkdirSync(out, { recursive: true });
const { train, validation } = await balancedBirds(COUNTS);
const held = validation.images;
say(`${COUNTS.train} + ${COUNTS.validation} pictures drawn`);

writeConfigurations(out);
const tokenizer = makeTokenizer(join(out, "tokenizer"));
say(`tokenizer: ${tokenizer.vocabSize} tokens`);

const { text, tower } = trainText(train, tokenizer, {
  steps: textSteps,
  batchSize: 32,
  lr: Number(options["text-lr"]),
  seed: SEED,
  logEvery: 50,
  log: (step, loss) => say(`text ${step}: loss ${loss.toFixed(4)}`),
});
saveTextEncoder(join(out, "text_encoder"), text.to({ dtype: "float16" }));

const training = {
  batchSize: 4,
  logEvery: 200,
  log: (model: AutoencoderKL, { step, pixels, edges, kl, stepMs }: VaeProgress) => {
    const quality = scope(() => psnr(model, held.slice(0, 0, 64)));
    say(
      `vae ${step}: l1 ${pixels.toFixed(4)} grad ${edges.toFixed(4)} kl ${kl.toFixed(2)} ` +
        `psnr ${quality.toFixed(2)}, ${stepMs.toFixed(0)} ms per step`,
    );
  },
};
const vaeFolder = join(out, "vae");
const store = (model: AutoencoderKL): void =>
  saveVae(vaeFolder, measureScaling(model, train.images).to({ dtype: "float16" }));

// First pixels and edges only; then, from the stored file, also what the image tower sees.
if (vaeSteps > 0) store(trainVae(train.images, { ...training, steps: vaeSteps, lr: 2e-3, seed: SEED }));
if (refineSteps > 0) {
  const from = loadVae(vaeFolder, { dtype: "float32" });
  tower.requiresGrad_(false);
  const refinement = { ...training, steps: refineSteps, lr: 1e-3, seed: SEED + 1 };
  store(trainVae(train.images, { ...refinement, start: from, tower }));
}

// Measured on the files, not on what was trained: rounding to float16 counts.
const vae = loadVae(vaeFolder, { dtype: "float32" });
const { scaling_factor: scalingFactor } = vae.config;
const spread = (images: Tensor): number => scope(() => meanLatents(vae, images).flatten().std().item());
const measured = {
  psnr: psnr(vae, held),
  latentStd: spread(held) * scalingFactor,
  scalingFactor,
  bytes: ["vae", "text_encoder"].reduce((sum, part) => sum + statSync(findWeights(join(out, part))).size, 0),
  seconds: seconds(),
};
writeFileAtomic(
  join(out, "README.md"),
  readme({
    ...measured,
    vaeSteps,
    refineSteps,
    textSteps,
    seed: SEED,
    birdsSeed: BIRDS_SEED,
    trainImages: COUNTS.train,
    validationImages: COUNTS.validation,
  }),
);
if (options.sheet !== undefined) {
  const some = held.slice(0, 0, 48);
  writeFileAtomic(resolve(options.sheet), await reconstructionSheet(vae, some));
}
say(`done: ${JSON.stringify(measured)}`);
