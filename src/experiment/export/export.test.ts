// What is exported predicts what the run samples with; what cannot be exported is refused with what can be done.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  BASE_STEPS,
  COPY,
  finishedRun,
  type FinishedRunOptions,
  GUIDANCE_STEPS,
  LORA,
} from "../../../test/finished-run.ts";
import { golden } from "../../../test/golden-dir.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { relativeError } from "../../../test/tensors.ts";
import { readSafetensors, readSafetensorsHeader } from "../../checkpoint/index.ts";
import {
  loadInvdiffCheckpoint,
  loadTextEncoder,
  loadUnet,
  loadVae,
  type UNet2DConditionModel,
} from "../../models/index.ts";
import type { Denoiser } from "../../pipelines/index.ts";
import { loadPipeline } from "../../pipelines/index.ts";
import { keep, noGrad, scope, type Tensor, tensorCount, UserError } from "../../torch/index.ts";
import { findGuidance } from "../sampling/find-guidance.ts";
import { openGuidance } from "../sampling/open-guidance.ts";
import { attachLora, type GuidanceSettings, loadGuidance } from "../stages/guidance-model.ts";
import { exportRun, type ExportRequest } from "./index.ts";

let runs = "";
beforeAll(() => void (runs = mkdtempSync(join(tmpdir(), "export-runs-"))));
afterAll(() => rmSync(runs, { recursive: true }));

const made: string[] = [];
/** A finished run that several tests read, and none changes. */
function sharedRun(options: FinishedRunOptions = {}): string {
  const name = JSON.stringify(options, (_, value: unknown) => (value === undefined ? "none" : value));
  if (!made.includes(name)) finishedRun(join(runs, String(made.push(name) - 1)), options);
  return join(runs, String(made.indexOf(name)));
}

let root = "";
let run = "";
let to = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "export-"));
  [run, to] = [join(root, "run"), join(root, "exports", "mine")];
});
afterEach(() => rmSync(root, { recursive: true }));

const exported = (request: Partial<ExportRequest>) => exportRun({ run, to, as: "merged", ...request });
const openBase = (): UNet2DConditionModel => loadUnet(join(run, "base", "unet"));

/** One prediction for the golden inputs. */
function predict(denoiser: Denoiser): Tensor {
  const inputs = readSafetensors(golden("models-sd1.safetensors"));
  const [sample, timesteps, states] = ["unet.sample", "unet.timestep", "unet.encoder_hidden_states"].map(
    (name) => inputs.get(name)!,
  );
  const made = noGrad(() => keep(scope(() => denoiser.forward(sample!, timesteps!, states!))));
  for (const value of inputs.values()) value.dispose();
  return made;
}

/** What the run itself samples with. */
function guided(strength?: number): Tensor {
  using base = openBase();
  using guidance = loadGuidance(base, join(run, "guidance"), { strength });
  return predict(guidance.denoiser);
}

const of = <M extends UNet2DConditionModel>(unet: M): Tensor => {
  using owned = unet;
  return predict(owned);
};
const base = (): Tensor => of(openBase());
const merged = (): Tensor => of(loadUnet(join(to, "unet")));

/** The relative distance of two predictions, which are released. */
function distance(a: Tensor, b: Tensor): number {
  using first = a;
  using second = b;
  return relativeError(first, second);
}

const SAME = 1e-5;
const OTHER = 1e-3;

describe("merged", () => {
  const whole: [string, GuidanceSettings, number | undefined][] = [
    ["adapters", LORA, undefined],
    ["adapters of some layers", { ...LORA, targets: ["attn2", "conv_in"] }, undefined],
    ["adapters trained at half strength, asked for in full", { ...LORA, strength: 0.5 }, 1],
    ["a copy", COPY, undefined],
    ["a blend of the module alone", { ...COPY, form: "blend", ratio: 1 }, undefined],
    ["a small network alone", { ...COPY, form: "blend", module: "small0", ratio: 1 }, undefined],
    ["a residual at strength 0", { ...COPY, form: "residual" }, 0],
    ["adapters at strength 0", LORA, 0],
  ];
  it.each(whole)("%s: the U-Net predicts what the guided denoiser does", async (_, guidance, strength) => {
    run = sharedRun({ guidance });
    const { path } = await exported({ strength });
    expect(path).toBe(to);
    expect(distance(merged(), guided(strength))).toBeLessThan(SAME);
    if (strength !== 0) expect(distance(merged(), base())).toBeGreaterThan(OTHER);
  });

  it("is a whole pipeline whose other parts are the model folder's", async () => {
    run = sharedRun({ guidance: LORA });
    const before = settledTensorCount();
    const { notes } = await exported({});
    expect(notes).toEqual([]);
    expect(tensorCount()).toBeLessThanOrEqual(before);
    const source = golden("tiny-sd1");
    const [own, original] = [loadPipeline(to), loadPipeline(source)];
    for (const part of ["vae", "textEncoder"] as const) {
      const found = own.parts[part].stateDict();
      for (const [key, value] of original.parts[part].stateDict())
        expect(relativeError(found.get(key)!, value)).toBe(0);
    }
    const ids = ({ parts }: typeof own) => [...parts.tokenizer.encode(["a photo of a nurse"]).inputIds];
    expect(ids(own)).toEqual(ids(original));
    expect(own.parts.scheduler.className).toBe(original.parts.scheduler.className);
    for (const { parts } of [own, original])
      for (const model of [parts.unet, parts.vae, parts.textEncoder]) model[Symbol.dispose]();
    expect(readdirSync(to).sort()).toEqual([
      "export.json",
      "model_index.json",
      "scheduler",
      "text_encoder",
      "tokenizer",
      "unet",
      "vae",
    ]);
    expect(JSON.parse(readFileSync(join(to, "export.json"), "utf8"))).toMatchObject({
      format: "invdiff-export",
      as: "merged",
      run,
      guidance: { form: "difference", module: "lora", rank: 2 },
    });
  });

  it("adapters at another strength are scaled in the weights, and a note says so", async () => {
    run = sharedRun({ guidance: LORA });
    const { notes } = await exported({ strength: 0.5 });
    using unet = openBase();
    const file = join(run, "guidance", "lora.safetensors");
    using lora = attachLora(unet, readSafetensors(file), { file, rank: 2 });
    expect(
      distance(
        merged(),
        lora.withScale(0.5, () => predict(unet)),
      ),
    ).toBeLessThan(SAME);
    expect(notes).toEqual([
      expect.stringMatching(/^at strength 0\.5 the adapters are scaled in the weights, as Python/),
    ]);
    expect(distance(merged(), guided(0.5))).toBeGreaterThan(SAME);
  });

  it("without guidance is the base, and says why", async () => {
    run = sharedRun();
    expect((await exported({})).notes).toEqual([
      `${run} holds no finished guidance (make it with: invdiff train --out ${run}): the base alone is exported`,
    ]);
    expect(distance(merged(), base())).toBe(0);
    run = sharedRun({ guidance: null });
    expect((await exported({ force: true })).notes).toEqual([
      `${join(run, "guidance")} holds no guidance, because no under-represented group was found: the base alone is exported`,
    ]);
    expect(distance(merged(), base())).toBe(0);
  });

  it("of a stage's folder takes that stage", async () => {
    run = sharedRun({ guidance: COPY, stage: "guidance-oracle" });
    await exported({ run: join(run, "guidance-oracle") });
    const own = (): Tensor => of(loadUnet(join(run, "guidance-oracle", "unet_delta")));
    expect(distance(merged(), own())).toBe(0);
    expect((await exported({ run: join(run, "base"), force: true })).notes).toEqual([]);
    expect(distance(merged(), base())).toBe(0);
  });

  it("keeps the prediction type that the run was made with", async () => {
    run = sharedRun({ guidance: LORA, config: { model: { predictionType: "v_prediction" } } });
    await exported({});
    const config = JSON.parse(readFileSync(join(to, "scheduler", "scheduler_config.json"), "utf8")) as object;
    expect(config).toMatchObject({ prediction_type: "v_prediction" });
  });

  it("needs the images no more", async () => {
    const images = join(root, "images");
    mkdirSync(images);
    finishedRun(run, { guidance: LORA, config: { data: { kind: "folder", path: images } } });
    rmSync(images, { recursive: true });
    await exported({});
    expect(distance(merged(), guided())).toBeLessThan(SAME);
  });

  it.each(["float16", "bfloat16"] as const)(
    "stores every part in %s when that is asked for",
    async (dtype) => {
      run = sharedRun({ guidance: LORA });
      await exported({ dtype });
      const loaders = { unet: loadUnet, vae: loadVae, text_encoder: loadTextEncoder };
      for (const [part, load] of Object.entries(loaders)) {
        using model = load(join(to, part));
        expect(new Set(model.parameters().map((value) => value.dtype))).toEqual(new Set([dtype]));
      }
      const rounded = of(loadUnet(join(to, "unet"), { dtype: "float32" }));
      expect(distance(rounded, guided())).toBeLessThan(dtype === "float16" ? 5e-3 : 5e-2);
    },
  );
});

describe("lora", () => {
  it.each([
    ["as trained", LORA, undefined, 2, 1],
    ["at half strength", LORA, 0.5, 1, 0.5],
    ["trained at half strength", { ...LORA, strength: 0.5 }, undefined, 1, 0.5],
    ["of some layers", { ...LORA, targets: ["attn1"] }, undefined, 2, 1],
  ] as const)(
    "%s: the file says everything, strength in alpha",
    async (_, guidance, strength, alpha, scale) => {
      run = sharedRun({ guidance: guidance as GuidanceSettings });
      const { notes } = await exported({ as: "lora", strength });
      expect(notes[0]).toBe(
        `the adapters belong to this run's base, not to the model that it started from: export it with --run ${join(run, "base")} --as merged`,
      );
      expect(notes).toHaveLength(scale === 1 ? 1 : 2);
      expect(readdirSync(to).sort()).toEqual(["export.json", "pytorch_lora_weights.safetensors"]);
      const { metadata, tensors } = readSafetensorsHeader(join(to, "pytorch_lora_weights.safetensors"));
      const config = JSON.parse(metadata["lora_adapter_metadata"]!) as Record<string, unknown>;
      expect(config).toMatchObject({ "unet.r": 2, "unet.lora_alpha": alpha, "unet.peft_type": "LORA" });
      const layers = new Set(
        [...tensors.keys()].map((key) => key.replace(/^unet\.|\.lora_[AB]\.weight$/g, "")),
      );
      expect(new Set(config["unet.target_modules"] as string[])).toEqual(layers);
      const ours = (): Tensor => {
        using unet = openBase();
        using found = openGuidance(findGuidance(to), unet, { strength: 1 });
        return predict(found.denoiser);
      };
      const expected = (): Tensor => {
        using unet = openBase();
        const file = join(run, "guidance", "lora.safetensors");
        const values = readSafetensors(file);
        using lora = attachLora(unet, values, { file, rank: 2, targets: (path) => layers.has(path) });
        return lora.withScale(scale, () => predict(unet));
      };
      expect(distance(ours(), expected())).toBeLessThan(1e-6);
      expect(distance(ours(), base())).toBeGreaterThan(OTHER);
    },
  );

  it("stores the adapters in the dtype that is asked for", async () => {
    run = sharedRun({ guidance: LORA });
    await exported({ as: "lora", dtype: "float16" });
    const { tensors } = readSafetensorsHeader(join(to, "pytorch_lora_weights.safetensors"));
    expect(new Set(Array.from(tensors.values(), ({ dtype }) => dtype))).toEqual(new Set(["float16"]));
  });

  it("of a guidance for high noise alone is told to act everywhere in Python", async () => {
    run = sharedRun({ guidance: { ...LORA, from: 600 } });
    const { notes } = await exported({ as: "lora" });
    expect(notes[1]).toBe(
      "they were trained for timesteps from 600 upwards; loaded in Python they act at all of them",
    );
  });
});

describe("invdiff", () => {
  it.each<[string, GuidanceSettings, number | undefined, number, string]>([
    ["adapters", LORA, undefined, 1, "pretrain"],
    ["adapters at a strength", LORA, 0.25, 0.25, "pretrain"],
    ["a copy", COPY, undefined, 1, "pretrain"],
    ["a copy at a strength", COPY, 0.25, 0.25, "pretrain"],
    ["a blend", { ...COPY, form: "blend", ratio: 0.4 }, undefined, 0.4, "pretrain"],
    ["a blend with a small network", { ...COPY, form: "blend", module: "small1" }, 0.7, 0.7, "small"],
    ["a residual", { ...COPY, form: "residual" }, undefined, -1, "pretrain"],
    [
      "a residual at a strength, from scratch",
      { ...COPY, form: "residual", module: "scratch" },
      2,
      2,
      "scratch",
    ],
  ])("%s: the two networks combine to the guided prediction", async (_, guidance, strength, ratio, type) => {
    run = sharedRun({ guidance });
    const { notes } = await exported({ as: "invdiff", strength });
    expect(notes).toEqual([]);
    expect(readdirSync(join(to, `checkpoint-${GUIDANCE_STEPS}`)).sort()).toEqual([
      "args.json",
      "unet_delta",
      "unet_pretrain_unet",
    ]);
    using found = loadInvdiffCheckpoint(to);
    expect(found.args).toMatchObject({ delta: true, delta_ratio: ratio, delta_type: type, lambda_value: 1 });
    expect(found.args.delta_param).toBe(type === "small" ? 1 : undefined);
    expect(distance(predict(found.base!), base())).toBe(0);
    const combined = scope(() => {
      const [b, d] = [predict(found.base!), predict(found.delta!)];
      const combination = found.guidance;
      const sum =
        combination.form === "residual"
          ? b.add(d, { alpha: combination.strength })
          : d.mul(combination.ratio).add(b, { alpha: 1 - combination.ratio });
      return keep(sum);
    });
    expect(distance(combined, guided(strength))).toBeLessThan(SAME);
  });

  it("without guidance is a checkpoint of stage 1", async () => {
    run = sharedRun();
    const { notes } = await exported({ as: "invdiff" });
    expect(notes).toEqual([
      expect.stringMatching(/holds no finished guidance .*: the base alone is exported$/),
    ]);
    expect(readdirSync(join(to, `checkpoint-${BASE_STEPS}`))).toEqual(["unet"]);
    using found = loadInvdiffCheckpoint(to);
    expect(found.delta).toBeUndefined();
    expect(distance(predict(found.base!), base())).toBe(0);
  });

  it("tells what the layout cannot say of a guidance for high noise alone", async () => {
    run = sharedRun({ guidance: { ...COPY, from: 600 } });
    expect((await exported({ as: "invdiff" })).notes).toEqual([
      "the guidance was trained for timesteps from 600 upwards; the reference applies it at all of them",
    ]);
  });
});

describe("what is not possible", () => {
  it.each<[GuidanceSettings | null | undefined, Partial<ExportRequest>, RegExp]>([
    [
      { ...COPY, form: "residual" },
      {},
      /form residual \(module copy\) cannot be merged .*both networks are needed\. Export it with --as invdiff/,
    ],
    [
      { ...COPY, form: "blend", ratio: 0.4 },
      {},
      /form blend .* at share 0\.4 both networks are needed; at 1 the module alone is the answer \(--strength 1\)/,
    ],
    [COPY, { strength: 0.5 }, /form difference .* at strength 0\.5 both networks are needed/],
    [
      { ...LORA, from: 600 },
      {},
      /acts at timesteps from 600 upwards only, .* cannot be merged\. Export it with --as invdiff or --as lora/,
    ],
    [{ ...COPY, from: 600 }, {}, /Export it with --as invdiff, where both/],
    [
      COPY,
      { as: "lora" },
      /is a network \(form difference, module copy\), not adapters\. Export it with --as invdiff\./,
    ],
    [
      undefined,
      { as: "lora" },
      /no adapters to export: .* holds no finished guidance \(make it with: invdiff train/,
    ],
    [null, { as: "lora" }, /no adapters to export: .* no under-represented group was found/],
    [LORA, { as: "lora", strength: 0 }, /At strength 0 adapters do nothing/],
    [
      LORA,
      { as: "invdiff", strength: 1.5 },
      /blend with ratio 1\.5: .* Choose a strength that it can say: --strength, from 0 to 1 for the form difference/,
    ],
    [
      { ...COPY, form: "residual" },
      { as: "invdiff", strength: 0.5 },
      /--strength, 1 or more for the form residual/,
    ],
    [LORA, { strength: NaN }, /strength is NaN; expected a number from 0 on/],
  ])("%#: is refused, and nothing is left behind", async (guidance, request, message) => {
    run = sharedRun({ guidance });
    const failing = exported(request);
    await expect(failing).rejects.toThrow(UserError);
    await expect(failing).rejects.toThrow(message);
    expect(existsSync(join(root, "exports")) ? readdirSync(join(root, "exports")) : []).toEqual([]);
  });

  it.each<[string, () => void, RegExp]>([
    ["no folder", () => undefined, /run does not exist; expected the folder of an experiment/],
    ["another folder", () => void mkdirSync(run), /run holds no experiment\.yaml; expected/],
    ["a file", () => writeFileSync(run, ""), /run is a file; expected/],
    [
      "an unfinished base",
      () => {
        finishedRun(run);
        renameSync(join(run, "base"), join(run, "base.partial"));
      },
      /holds no finished base; expected .* Run first: invdiff finetune --out/,
    ],
  ])("%s in place of a run is told", async (_, prepare, message) => {
    prepare();
    await expect(exported({})).rejects.toThrow(message);
    expect(existsSync(to)).toBe(false);
  });

  it("an unfinished stage that was named is told", async () => {
    run = sharedRun({ guidance: LORA });
    await expect(exported({ run: join(run, "guidance-oracle") })).rejects.toThrow(
      /guidance-oracle is not finished/,
    );
  });
});

describe("the target", () => {
  it("is replaced with force only, and only if it is an earlier export", async () => {
    run = sharedRun({ guidance: LORA });
    mkdirSync(to, { recursive: true });
    await exported({ as: "lora" });
    await expect(exported({})).rejects.toThrow(
      /mine holds an earlier export\. Choose another folder \(--to\), or replace it \(--force\)/,
    );
    expect(readdirSync(to)).toContain("pytorch_lora_weights.safetensors");
    await exported({ force: true });
    expect(readdirSync(to)).not.toContain("pytorch_lora_weights.safetensors");
    expect(readdirSync(join(root, "exports"))).toEqual(["mine"]);
    rmSync(join(to, "export.json"));
    await expect(exported({ force: true })).rejects.toThrow(
      /is no earlier export \(it holds model_index\.json, .*nothing is written there/,
    );
    writeFileSync(join(root, "file"), "");
    await expect(exported({ to: join(root, "file"), force: true })).rejects.toThrow(
      /file is a file; expected a name that is free/,
    );
  });

  it("stays as it was when a new export fails", async () => {
    finishedRun(run, { guidance: LORA });
    await exported({});
    writeFileSync(join(run, "guidance", "lora.safetensors"), "broken");
    await expect(exported({ force: true })).rejects.toThrow(/lora\.safetensors/);
    expect(readdirSync(join(root, "exports"))).toEqual(["mine"]);
    expect(existsSync(join(to, "model_index.json"))).toBe(true);
  });
});
