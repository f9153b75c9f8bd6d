import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../torch/index.ts";
import {
  checkVariant,
  indexName,
  legacyIndexName,
  parseWeightName,
  shardName,
  type WeightSet,
  wholeName,
} from "./weight-names.ts";

const set = (base: string, variant?: string): WeightSet => ({ base, format: "safetensors", variant });

describe("names of weight files", () => {
  it("are those that diffusers and transformers write", () => {
    const unet = set("diffusion_pytorch_model");
    const fp16 = set("diffusion_pytorch_model", "fp16");
    expect(wholeName(unet)).toBe("diffusion_pytorch_model.safetensors");
    expect(wholeName(fp16)).toBe("diffusion_pytorch_model.fp16.safetensors");
    expect(shardName(unet, 0, 2)).toBe("diffusion_pytorch_model-00001-of-00002.safetensors");
    expect(shardName(fp16, 1, 2)).toBe("diffusion_pytorch_model.fp16-00002-of-00002.safetensors");
    expect(indexName(unet)).toBe("diffusion_pytorch_model.safetensors.index.json");
    expect(indexName(fp16)).toBe("diffusion_pytorch_model.safetensors.index.fp16.json");
    expect(legacyIndexName(fp16)).toBe("diffusion_pytorch_model.safetensors.fp16.index.json");
    expect(wholeName(set("model", "fp16"))).toBe("model.fp16.safetensors");
    expect(indexName(set("model", "fp16"))).toBe("model.safetensors.index.fp16.json");
    expect(indexName({ base: "pytorch_model", format: "bin", variant: undefined })).toBe(
      "pytorch_model.bin.index.json",
    );
  });

  it("are understood again, whatever base, format, variant and shard", () => {
    const any = fc.record({
      base: fc.constantFrom("diffusion_pytorch_model", "model", "pytorch_model"),
      format: fc.constantFrom("safetensors" as const, "bin" as const),
      variant: fc.option(fc.stringMatching(/^[A-Za-z0-9_]{1,8}$/), { nil: undefined }),
    });
    fc.assert(
      fc.property(any, fc.integer({ min: 0, max: 9 }), (given, index) => {
        expect(parseWeightName(wholeName(given))).toEqual({ ...given, kind: "whole" });
        expect(parseWeightName(shardName(given, index, 10))).toEqual({ ...given, kind: "shard" });
        expect(parseWeightName(indexName(given))).toEqual({ ...given, kind: "index" });
        expect(parseWeightName(legacyIndexName(given))).toEqual({ ...given, kind: "index" });
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it.each([
    ["diffusion_pytorch_model-00001-of-00002.fp16.safetensors", "fp16", "shard"],
    ["diffusion_pytorch_model.non_ema.bin", "non_ema", "whole"],
  ])("%s, as older releases wrote it, is understood", (name, variant, kind) => {
    expect(parseWeightName(name)).toMatchObject({ base: "diffusion_pytorch_model", variant, kind });
  });

  it.each(["config.json", "optimizer.bin", "model.onnx", "my_model.safetensors", "model.safetensors.tmp-17"])(
    "%s is none",
    (name) => expect(parseWeightName(name)).toBeUndefined(),
  );

  it("a variant that could lead elsewhere or be mistaken for a shard is refused", () => {
    for (const wrong of ["", "../x", "a/b", "a.b", "fp16-00001-of-00002", " "]) {
      expect(() => checkVariant(wrong)).toThrow(ConfigError);
      expect(() => checkVariant(wrong)).toThrow(JSON.stringify(wrong));
    }
    expect(() => checkVariant("non_ema")).not.toThrow();
    expect(() => checkVariant(undefined)).not.toThrow();
  });
});
