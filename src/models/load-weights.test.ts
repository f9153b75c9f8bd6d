// Models from every form in which Python leaves their weights.
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { settledTensorCount } from "../../test/settled.ts";
import { readSafetensors, readWeights, writeSafetensors, writeWeights } from "../checkpoint/index.ts";
import type { Module } from "../nn/index.ts";
import { CheckpointError, ConfigError, scope, tensor, tensorCount, zeros } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { loadTextEncoder, loadUnet, loadVae, saveTextEncoder, saveUnet, saveVae } from "./index.ts";

let dir = "";
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), "models-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const pickled = (name: string) =>
  fileURLToPath(new URL(`../../test/golden/pickled-vae/${name}`, import.meta.url));
const UNET = golden("tiny-sd2/unet");
const FILE = "diffusion_pytorch_model.safetensors";

const values = (tensors: ReadonlyMap<string, Tensor>) =>
  [...tensors].map(([key, value]) => [key, value.toNumbers()]).sort();
const json = (path: string) => JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;

describe("pickles", () => {
  it.each(["whole", "shards", "whole/diffusion_pytorch_model.bin"])(
    "of Python, %s, give the same model",
    (name) => {
      using model = loadVae(pickled(name));
      const expected = readSafetensors(pickled("expected.safetensors"));
      expect(values(model.stateDict())).toEqual(values(expected));
      expect(expected.size).toBeGreaterThan(50);
    },
  );

  it("are left aside where safetensors lie beside them", () => {
    cpSync(UNET, dir, { recursive: true });
    writeFileSync(join(dir, "diffusion_pytorch_model.bin"), "never read");
    using model = loadUnet(dir);
    expect(model.parameterCount()).toBeGreaterThan(1000);
  });

  it("that are broken are named, and leave nothing behind", () => {
    cpSync(pickled("whole"), dir, { recursive: true });
    writeFileSync(join(dir, "diffusion_pytorch_model.bin"), "no pickle");
    const count = settledTensorCount();
    expect(() => loadVae(dir)).toThrow(CheckpointError);
    expect(() => loadVae(dir)).toThrow(/diffusion_pytorch_model\.bin/);
    expect(tensorCount()).toBe(count);
  });
});

describe("variants and shards", () => {
  it.each([
    ["unet", loadUnet, saveUnet],
    ["vae", loadVae, saveVae],
    ["text_encoder", loadTextEncoder, saveTextEncoder],
  ] as const)("of the %s come back as they were saved", (name, load, save) => {
    using model = load(golden(`tiny-sd1/${name}`));
    const options = { variant: "fp16", dtype: "float16", maxShardBytes: 40_000 } as const;
    (save as (dir: string, model: Module, given: typeof options) => void)(dir, model, options);
    expect(() => load(dir)).toThrow(/weights of the variant "fp16" only; ask for it: --variant fp16/);
    using half = load(dir, { variant: "fp16" });
    scope(() => {
      const expected = new Map(
        [...model.namedParameters()].map(([key, value]) => [key, value.to("float16")]),
      );
      expect(values(half.stateDict())).toEqual(values(expected));
    });
    using wide = load(dir, { variant: "fp16", dtype: "float32" });
    expect(wide.parameters().every(({ dtype }) => dtype === "float32")).toBe(true);
    expect(values(wide.stateDict())).toEqual(values(half.stateDict()));
  });

  it("name the dtype in a text encoder's configuration, where transformers looks for it", () => {
    using model = loadTextEncoder(golden("tiny-sd1/text_encoder"));
    saveTextEncoder(dir, model);
    expect(json(join(dir, "config.json"))).toMatchObject({ dtype: "float32" });
    saveTextEncoder(dir, model, { dtype: "bfloat16" });
    expect(json(join(dir, "config.json"))).toMatchObject({ dtype: "bfloat16" });
    saveTextEncoder(dir, model.to({ dtype: "float16" }));
    expect(json(join(dir, "config.json"))).toMatchObject({ dtype: "float16" });
  });
});

describe("a file of weights", () => {
  it("finds its configuration beside it, or is given one", () => {
    cpSync(UNET, dir, { recursive: true });
    renameSync(join(dir, FILE), join(dir, "mine.safetensors"));
    using first = loadUnet(join(dir, "mine.safetensors"));
    const config = json(join(dir, "config.json"));
    rmSync(join(dir, "config.json"));
    expect(() => loadUnet(join(dir, "mine.safetensors"))).toThrow(
      /mine.safetensors has no config.json beside it; put the model's there, or give the configuration/,
    );
    using second = loadUnet(join(dir, "mine.safetensors"), { config });
    expect(values(second.stateDict())).toEqual(values(first.stateDict()));
  });

  it("in the original layout is recognised, with the way to convert it", () => {
    writeFileSync(join(dir, "config.json"), "{}");
    const path = join(dir, "v1-5.safetensors");
    const cases = {
      "model.diffusion_model.input_blocks.0.0.weight":
        /a whole checkpoint \(U-Net, autoencoder and text encoder/,
      "first_stage_model.decoder.conv_in.weight": /a whole checkpoint without its U-Net/,
      "input_blocks.0.0.weight": /a U-Net in the layout of the original/,
      "encoder.down.0.block.0.conv1.weight": /an autoencoder in the layout of the original/,
    };
    for (const [key, message] of Object.entries(cases)) {
      scope(() => writeSafetensors(path, { [key]: zeros([1]), "cond_stage_model.x": zeros([1]) }));
      const count = settledTensorCount();
      const load = () => loadUnet(path);
      expect(load).toThrow(CheckpointError);
      if (!key.startsWith("model.")) scope(() => writeSafetensors(path, { [key]: zeros([1]) }));
      expect(load).toThrow(message);
      expect(load).toThrow(/v1-5.safetensors: this is .*from_single_file/);
      expect(tensorCount()).toBe(count);
    }
  });
});

describe("what Python leaves aside", () => {
  it("position_ids and copies of the training are no strangers", () => {
    scope(() => {
      const tensors = new Map(readWeights(UNET));
      tensors.set("model_ema.decay", tensor([0.5]));
      tensors.set("text_model.embeddings.position_ids", tensor([0, 1], { dtype: "int64" }));
      writeWeights(dir, "diffusion_pytorch_model", tensors);
      for (const value of tensors.values()) value.dispose();
    });
    const ema = { decay: 0.99, inv_gamma: 1, min_decay: 0, optimization_step: 9, power: 0.6 };
    const notes = { ...ema, update_after_step: 0, use_ema_warmup: false };
    writeFileSync(join(dir, "config.json"), JSON.stringify({ ...json(join(UNET, "config.json")), ...notes }));
    const count = settledTensorCount();
    const model = loadUnet(dir);
    using plain = loadUnet(UNET);
    expect(values(model.stateDict())).toEqual(values(plain.stateDict()));
    model[Symbol.dispose]();
    plain[Symbol.dispose]();
    expect(tensorCount()).toBe(count);
  });
});

describe("what does not fit is refused", () => {
  it.each([
    [loadUnet, "unet", { _class_name: "UNet2DModel" }, /of class UNet2DModel; expected UNet2DConditionModel/],
    [
      loadUnet,
      "unet",
      { _class_name: "EpsilonWithDelta" },
      /EpsilonWithDelta.*unet_pretrain_unet and unet_delta/,
    ],
    [loadVae, "vae", { _class_name: "AutoencoderTiny" }, /of class AutoencoderTiny; expected AutoencoderKL/],
    [loadVae, "vae", { _class_name: ["x"] }, /of class \["x"\]; expected AutoencoderKL/],
    [
      loadTextEncoder,
      "text_encoder",
      { architectures: ["CLIPModel"] },
      /of class CLIPModel; expected CLIPTextModel/,
    ],
  ] as const)("%o of %s with %j", (load, part, change, message) => {
    cpSync(golden(`tiny-sd2/${part}`), dir, { recursive: true });
    writeFileSync(join(dir, "config.json"), JSON.stringify({ ...json(join(dir, "config.json")), ...change }));
    expect(() => load(dir)).toThrow(CheckpointError);
    expect(() => load(dir)).toThrow(message);
  });

  it("with a hint at what it looks like", () => {
    cpSync(UNET, dir, { recursive: true });
    const config = { ...json(join(dir, "config.json")), cross_attention_dim: 768 };
    writeFileSync(join(dir, "config.json"), JSON.stringify(config));
    const count = settledTensorCount();
    expect(() => loadUnet(dir)).toThrow(
      /keys with another shape[^]*attn2[^]*\nThese look like weights for cross_attention_dim \d+, the configuration says 768 \(Stable Diffusion 1\.x\)\.$/,
    );
    expect(tensorCount()).toBe(count);
  });

  it("whole numbers in place of weights too, as quantised files hold them", () => {
    cpSync(UNET, dir, { recursive: true });
    scope(() => {
      const tensors = readWeights(UNET);
      const bias = tensors.get("conv_out.bias")!;
      tensors.set("conv_out.bias", bias.mul(100).to("int8"));
      writeWeights(dir, "diffusion_pytorch_model", tensors);
      for (const value of [bias, ...tensors.values()]) value.dispose();
    });
    const count = settledTensorCount();
    expect(() => loadUnet(dir)).toThrow(CheckpointError);
    expect(() => loadUnet(dir)).toThrow(
      /conv_out\.bias: int8 in the checkpoint, floating point in the model/,
    );
    expect(tensorCount()).toBe(count);
  });

  it("and a place that is none, or a wrong variant, is named", () => {
    expect(() => loadUnet(join(dir, "gone"))).toThrow(/gone does not exist/);
    expect(() => loadUnet(UNET, { variant: "fp16" })).toThrow(
      /no weights of the variant "fp16"; it has those without/,
    );
    expect(() => loadUnet(UNET, { variant: "../x" })).toThrow(ConfigError);
  });
});
