import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { CheckpointError } from "../torch/index.ts";
import {
  componentFolder,
  findWeights,
  modelFolder,
  readJson,
  readJsonObject,
  readModelIndex,
  writeModelIndex,
} from "./index.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "model-"))));
afterEach(() => rmSync(folder, { recursive: true }));

describe("model_index.json", () => {
  it("of a Python folder names the components that exist", () => {
    const index = readModelIndex(golden("tiny-sd1"));
    expect(index.className).toBe("StableDiffusionPipeline");
    expect(index.components).toEqual({
      scheduler: ["diffusers", "PNDMScheduler"],
      text_encoder: ["transformers", "CLIPTextModel"],
      tokenizer: ["transformers", "CLIPTokenizer"],
      unet: ["diffusers", "UNet2DConditionModel"],
      vae: ["diffusers", "AutoencoderKL"],
    });
  });

  it("comes back equal after writing", () => {
    writeModelIndex(folder, { schedulerClass: "DDPMScheduler" });
    expect(readModelIndex(folder).components).toEqual({
      ...readModelIndex(golden("tiny-sd1")).components,
      scheduler: ["diffusers", "DDPMScheduler"],
    });
  });

  it("missing says what a model folder is", () => {
    expect(() => readModelIndex(folder)).toThrow(
      /has no model_index.json; expected a diffusers model folder/,
    );
    expect(() => readModelIndex(join(folder, "no"))).toThrow(/no does not exist/);
  });
});

describe("components", () => {
  it("are found", () => {
    expect(modelFolder(golden("tiny-sd2")).unet).toBe(golden("tiny-sd2/unet"));
    expect(componentFolder(golden("tiny-sd2"), "vae")).toBe(golden("tiny-sd2/vae"));
  });

  it("that are missing are all listed in one error", () => {
    mkdirSync(join(folder, "vae"));
    mkdirSync(join(folder, "unet"));
    writeFileSync(join(folder, "unet", "config.json"), "{}");
    expect(() => modelFolder(folder)).toThrow(CheckpointError);
    expect(() => modelFolder(folder)).toThrow(
      /lacks vae\/config.json, text_encoder\/, tokenizer\/, scheduler\/;/,
    );
    expect(modelFolder(folder, ["unet"]).unet).toBe(join(folder, "unet"));
  });
});

describe("weights", () => {
  it("are found under both names", () => {
    expect(findWeights(golden("tiny-sd1/unet"))).toMatch(/diffusion_pytorch_model.safetensors$/);
    expect(findWeights(golden("tiny-sd1/text_encoder"))).toMatch(/model.safetensors$/);
  });

  it.each([
    [["pytorch_model.bin"], /only pytorch_model.bin, a Python pickle.*safe_serialization=True/],
    [["model.fp16.safetensors"], /There is model.fp16.safetensors; rename/],
    [["model.safetensors.index.json", "model-00001-of-00002.safetensors"], /split in several files/],
    [["readme.txt"], /The folder holds readme.txt/],
    [[], /The folder holds nothing/],
  ])("among %j: what to do", (files, message) => {
    for (const name of files) writeFileSync(join(folder, name), "");
    expect(() => findWeights(folder)).toThrow(message);
  });
});

describe("JSON", () => {
  const path = () => join(folder, "x.json");

  it("is read, with or without a byte order mark", () => {
    writeFileSync(path(), '\uFEFF{"a": [1]}');
    expect(readJson(path())).toEqual({ a: [1] });
  });

  it("errors name the file", () => {
    expect(() => readJson(path())).toThrow(/x.json does not exist/);
    expect(() => readJson(folder)).toThrow(/is a folder/);
    writeFileSync(path(), "{");
    expect(() => readJson(path())).toThrow(/x.json is not valid JSON/);
    writeFileSync(path(), "[]");
    expect(() => readJsonObject(path())).toThrow(/x.json holds a list; expected a JSON object/);
  });
});
