// The further rows of the comparison: made on the run's own base, prompts and seeds, each in the way that its name says.
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { differingFiles, filesBelow, readJson, run, tinyConfig } from "../../../test/tiny-experiment.ts";
import { readSafetensors } from "../../checkpoint/index.ts";
import {
  firstCaptions,
  planBatch,
  shuffledBatches,
  stepGenerator,
  type TrainingSet,
  weightedBatches,
} from "../../data/index.ts";
import { balancedSampling, diffusionLoss } from "../../method/index.ts";
import { TextToImagePipeline } from "../../pipelines/index.ts";
import { inferenceMode, scope } from "../../torch/index.ts";
import type { EvaluationJson } from "../report/index.ts";
import { DIVERSE_OUTPUTS } from "./baselines.ts";
import { comparisonStageNames } from "./compared-models.ts";
import { loadGroups } from "./groups.ts";
import { openLatentsStage } from "./latents.ts";
import {
  baseUnet,
  initialUnet,
  openNoiseSchedule,
  openScheduler,
  openTextEncoder,
  openTokenizer,
  openVae,
} from "./materials.ts";
import { loadSamples } from "./samples.ts";

const COMPARED = ["oracle", "reference", "diverse-prompt", "reweighting"];
const config = tinyConfig({ evaluation: { compare: COMPARED } });
let root: string;
let out: string;
let events: string[];
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "baselines-"));
  out = join(root, "run");
  ({ events } = await run(config, out));
}, 180_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("a run with every comparison", () => {
  it("makes the further models on the same base, prompts and seeds, and evaluates all of them together", () => {
    const finished = events.filter((event) => event.endsWith("finished")).map((event) => event.split(" ")[0]);
    expect(finished).toEqual([
      ...["data", "latents", "base", "groups", "guidance", "samples-base", "samples"],
      ...["groups-oracle", "guidance-oracle", "samples-oracle"],
      ...["groups-reference", "guidance-reference", "samples-reference"],
      ...["samples-diverse-prompt", "reweighted", "samples-reweighted", "classifiers", "evaluation"],
    ]);
    const { metrics } = readJson<EvaluationJson>(out, "evaluation.json");
    expect(metrics!.models.map(({ key }) => key)).toEqual(["base", "guided", ...COMPARED]);
    const bias = metrics!.metrics.find(({ key }) => key === "bias")!;
    for (const key of ["guided", ...COMPARED])
      expect(bias.comparedToBase[key]!.difference).toBeCloseTo(
        bias.values[key]!.value - bias.values["base"]!.value,
        12,
      );
    expect(bias.comparedToBase["base"]).toBeNull();
  });

  it("is reused by the same run, and by one that compares less", async () => {
    const again = await run(config, out);
    expect(again.events.filter((event) => !event.endsWith("reused"))).toEqual([]);
    const less = await run(tinyConfig({ evaluation: { compare: [] } }), out, { force: true });
    expect(less.events.filter((event) => event.endsWith("finished"))).toEqual(["evaluation finished"]);
    expect(readJson<EvaluationJson>(out, "evaluation.json").metrics!.models.map(({ key }) => key)).toEqual([
      "base",
      "guided",
    ]);
  }, 60_000);
});

describe("an evaluation that compares more than the run did", () => {
  it("makes the further models, and nothing else", async () => {
    const later = join(root, "later");
    cpSync(out, later, { recursive: true });
    for (const stage of ["samples-diverse-prompt", "samples-oracle"])
      rmSync(join(later, stage), { recursive: true });
    const compare = ["oracle", "diverse-prompt"];
    const more = tinyConfig({ evaluation: { compare } });
    const only = ["classifiers", "evaluation", ...comparisonStageNames(more)];
    const { events: own } = await run(more, later, { only, force: true });
    expect(own.filter((event) => event.endsWith("finished")).map((event) => event.split(" ")[0])).toEqual([
      ...["samples-oracle", "samples-diverse-prompt", "evaluation"],
    ]);
    expect(readJson<EvaluationJson>(later, "evaluation.json").metrics!.models.map(({ key }) => key)).toEqual([
      "base",
      "guided",
      ...compare,
    ]);
  }, 60_000);
});

describe("the diverse prompt", () => {
  it("gives the images that the base makes of the prompt with the reference's words behind it", async () => {
    const { images, prompts, perPrompt, added } = loadSamples(join(out, "samples-diverse-prompt"));
    using _ = images;
    expect(added).toBe(", please generate diverse outputs");
    // The prompts themselves are what the images are judged by.
    expect(prompts).toEqual(["a photo of a landbird", "a photo of a waterbird"]);
    using vae = openVae(config);
    using textEncoder = openTextEncoder(config);
    using unet = baseUnet(config, join(out, "base"));
    const pipeline = new TextToImagePipeline({
      ...{ unet: unet.eval(), vae, textEncoder, tokenizer: openTokenizer(config), latentShape: [4, 8, 8] },
      scheduler: openScheduler(config, config.samples.scheduler),
      device: "cpu",
    });
    const { seed, steps, guidanceScale } = config.samples;
    const asked = { prompts: [prompts[1]! + DIVERSE_OUTPUTS], seeds: [seed + perPrompt], batchSize: 1 };
    for await (const made of pipeline.batches({ ...asked, steps, guidanceScale })) {
      using own = made.images!;
      using latents = made.latents;
      expect(latents.shape[0]).toBe(1);
      const stored = scope(() => images.slice(0, perPrompt, perPrompt + 1).toNumbers());
      // Batches of other sizes round elsewhere: at most a level.
      const farthest = Math.max(...own.toNumbers().map((x, i) => Math.abs(x - stored[i]!)));
      expect(farthest).toBeLessThanOrEqual(1);
    }
    const [plain, diverse] = ["samples-base", "samples-diverse-prompt"].map((stage) =>
      filesBelow(join(out, stage), ".png"),
    );
    expect(differingFiles(plain!, diverse!).length).toBeGreaterThan(0);
  });
});

describe("re-weighting", () => {
  /** The loss of the first step, on the rows that the training draws first. */
  async function firstLoss(set: TrainingSet, rows: Int32Array): Promise<number> {
    using unet = initialUnet(config);
    const scheduler = openNoiseSchedule(config);
    const { captionDropout } = config.base;
    const plan = planBatch(set, rows, stepGenerator(config.seed, 0), {
      ...{ trainTimesteps: scheduler.numTrainTimesteps, captionDropout },
      ...{ flip: false, randomCrop: false },
    });
    const encoded = await set.load(plan.request);
    using _moments = encoded.moments;
    using _states = encoded.encoderHiddenStates;
    return inferenceMode(() =>
      scope(() => diffusionLoss(unet, scheduler, plan.diffuse(encoded, set.scalingFactor)).mean().item()),
    );
  }

  it("trains as the base does, from the same start, on batches balanced over the groups", async () => {
    using set = await openLatentsStage(join(out, "latents"), config);
    const groups = loadGroups(join(out, "groups"), set.ids);
    expect(groups.found).toBe(true);
    const weights = balancedSampling(groups.weights, groups.count, firstCaptions(set));
    const size = config.base.batchSize;
    const balanced = weightedBatches(weights, size, config.seed).next().value;
    const plain = shuffledBatches(set.ids.length, size, config.seed).next().value;
    const losses = (stage: string) => readJson<number[]>(out, stage, "losses.json");
    expect(losses("base")[0]).toBeCloseTo(await firstLoss(set, plain), 5);
    expect(losses("reweighted")[0]).toBeCloseTo(await firstLoss(set, balanced), 5);
    expect(losses("reweighted")).toHaveLength(config.base.steps);
    const keys = (stage: string) => {
      const tensors = readSafetensors(join(out, stage, "unet", "diffusion_pytorch_model.safetensors"));
      for (const tensor of tensors.values()) tensor.dispose();
      return [...tensors.keys()];
    };
    expect(keys("reweighted")).toEqual(keys("base"));
  });

  it("trains nothing where no second population was found, and samples the base", async () => {
    const alike = join(root, "alike");
    const none = tinyConfig({
      data: { balance: 0.5 },
      groups: { solver: "mixture" },
      evaluation: { compare: ["reweighting"] },
    });
    const { manifests } = await run(none, alike);
    expect(loadGroups(join(alike, "groups")).found).toBe(false);
    expect(manifests["reweighted"]!.result).toEqual({ trained: false });
    const bytes = (stage: string) => readFileSync(join(alike, stage, "images.safetensors"));
    expect(bytes("samples-reweighted").equals(bytes("samples-base"))).toBe(true);
  }, 120_000);
});
