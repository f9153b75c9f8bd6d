import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { CheckpointError } from "../torch/index.ts";
import { readModelIndex, writeModelIndex } from "./index.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "model-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const write = (index: unknown) => writeFileSync(join(folder, "model_index.json"), JSON.stringify(index));
const NAME = { _class_name: "StableDiffusionPipeline" };

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

  it("may hold options of the pipeline and absent parts", () => {
    const options = {
      requires_safety_checker: false,
      _name_or_path: "x",
      force_zeros: 1,
      note: "text",
      nothing: null,
    };
    write({
      ...NAME,
      ...options,
      unet: ["diffusers", "UNet2DConditionModel"],
      vae: [null, null],
      tokenizer: null,
    });
    expect(readModelIndex(folder).components).toEqual({ unet: ["diffusers", "UNet2DConditionModel"] });
  });

  it.each([
    ["unet", "UNet2DConditionModel"],
    ["vae", 5],
    ["scheduler", true],
    ["text_encoder_2", "x"],
    ["unet", ["diffusers"]],
    ["unet", ["diffusers", "A", "B"]],
    ["unet", ["diffusers", 3]],
    ["unet", [null, "UNet2DConditionModel"]],
    ["unet", ["diffusers", ""]],
    ["whatever", []],
    ["whatever", { class: "X" }],
  ])("names an entry of a strange kind: %s = %j", (name, value) => {
    write({ ...NAME, [name]: value });
    expect(() => readModelIndex(folder)).toThrow(CheckpointError);
    expect(() => readModelIndex(folder)).toThrow(
      `model_index.json: "${name}" is ${JSON.stringify(value)}; expected`,
    );
  });

  it.each([undefined, null, 3, "", ["pipeline", "Mine"]])("names a class that is none: %j", (className) => {
    write({ _class_name: className });
    expect(() => readModelIndex(folder)).toThrow(/model_index.json: _class_name is .*; expected the name/);
  });

  it("of any JSON is read or refused with the file's name", () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.dictionary(fc.string(), fc.jsonValue())), (index) => {
        write(typeof index === "object" && !Array.isArray(index) ? { ...index, ...NAME } : index);
        try {
          for (const pair of Object.values(readModelIndex(folder).components)) expect(pair).toHaveLength(2);
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
          expect((error as Error).message).toContain("model_index.json");
        }
      }),
      { seed: 17, numRuns: 200 },
    );
  });
});
