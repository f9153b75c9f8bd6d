import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { CheckpointError, ConfigError } from "../torch/index.ts";
import { findWeights, weightVariants } from "./index.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "weights-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const put = (...names: string[]) => names.forEach((name) => writeFileSync(join(folder, name), ""));

describe("weights are found", () => {
  it("in Python's folders", () => {
    expect(findWeights(golden("tiny-sd1/unet"))).toMatch(/diffusion_pytorch_model.safetensors$/);
    expect(findWeights(golden("tiny-sd1/text_encoder"))).toMatch(/model.safetensors$/);
  });

  it("in the order of diffusers and transformers", () => {
    const inOrder = [
      "diffusion_pytorch_model.safetensors.index.json",
      "diffusion_pytorch_model.safetensors",
      "model.safetensors",
      "model.safetensors.index.json",
      "diffusion_pytorch_model.bin.index.json",
      "diffusion_pytorch_model.bin",
      "pytorch_model.bin",
      "pytorch_model.bin.index.json",
    ];
    for (const name of [...inOrder].reverse()) {
      put(name);
      expect(findWeights(folder)).toBe(join(folder, name));
    }
  });

  it("of the variant asked for, under new and old names", () => {
    put("diffusion_pytorch_model.safetensors", "model.fp16.safetensors", "model.safetensors.fp16.index.json");
    expect(findWeights(folder, { variant: "fp16" })).toBe(join(folder, "model.fp16.safetensors"));
    put("diffusion_pytorch_model.safetensors.fp16.index.json");
    expect(findWeights(folder, { variant: "fp16" })).toMatch(/diffusion_pytorch_model.*fp16.index.json$/);
    put("diffusion_pytorch_model.safetensors.index.fp16.json");
    expect(findWeights(folder, { variant: "fp16" })).toMatch(/index.fp16.json$/);
    expect(findWeights(folder)).toBe(join(folder, "diffusion_pytorch_model.safetensors"));
    expect(weightVariants(folder)).toEqual(["", "fp16"]);
  });

  it("as the file itself, whatever its name", () => {
    put("my.ckpt");
    expect(findWeights(join(folder, "my.ckpt"))).toBe(join(folder, "my.ckpt"));
  });
});

describe("without weights", () => {
  it.each([
    [
      ["model.fp16.safetensors", "diffusion_pytorch_model.non_ema.bin"],
      undefined,
      /weights of the variant "fp16", "non_ema" only; ask for it: --variant fp16 or --variant non_ema /,
    ],
    [
      ["model.safetensors", "model.bf16.safetensors"],
      "fp16",
      /no weights of the variant "fp16"; it has those without a variant, "bf16"\.$/,
    ],
    [[], "fp16", /no weights \(.*, variant "fp16"\)\. The folder holds nothing\.$/],
    [["model-00001-of-00002.safetensors"], undefined, /shards without their index \(model-00001-of-00002/],
    [
      ["weights.pth", "x.safetensors"],
      undefined,
      /There is weights.pth, x.safetensors; if it holds them, give the path/,
    ],
    [["readme.txt"], undefined, /The folder holds readme.txt\.$/],
  ] as [string[], string | undefined, RegExp][])(
    "among %j, variant %s: what to do",
    (names, variant, message) => {
      put(...names);
      expect(() => findWeights(folder, { variant })).toThrow(CheckpointError);
      expect(() => findWeights(folder, { variant })).toThrow(message);
    },
  );

  it("a folder of that name is none, and a missing folder is named", () => {
    mkdirSync(join(folder, "model.safetensors"));
    expect(() => findWeights(folder)).toThrow(/has no weights/);
    expect(() => findWeights(join(folder, "gone"))).toThrow(/gone does not exist/);
  });

  it("a variant that is no name is refused", () => {
    expect(() => findWeights(folder, { variant: "../fp16" })).toThrow(ConfigError);
  });
});
