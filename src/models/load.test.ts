import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import { golden } from "../../test/golden-dir.ts";
import { readSafetensors, writeSafetensors } from "../checkpoint/index.ts";
import type { Module } from "../nn/index.ts";
import {
  CheckpointError,
  Generator,
  randn,
  scope,
  tensor,
  tensorCount,
  writeFileAtomic,
  zeros,
} from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { loadClassifier, loadTextEncoder, loadUnet, loadVae, ResnetClassifier } from "./index.ts";
import { saveClassifier, saveTextEncoder, saveUnet, saveVae } from "./index.ts";

let dir = "";
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), "models-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const values = (model: Module) =>
  [...model.namedParameters()].map(([key, value]) => [key, value.toNumbers()]);
const json = (path: string) => JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;

describe("load and save", () => {
  it.each([
    ["unet", loadUnet, saveUnet],
    ["vae", loadVae, saveVae],
    ["text_encoder", loadTextEncoder, saveTextEncoder],
  ] as const)("%s comes back the same, under the same keys and file names", (name, load, save) => {
    const source = golden(`tiny-sd2/${name}`);
    using model = load(source);
    (save as (dir: string, model: Module) => void)(dir, model);
    expect(readdirSync(dir).sort()).toEqual(readdirSync(source).sort());
    using again = load(dir);
    expect(values(again)).toEqual(values(model));
    expect(json(join(dir, "config.json"))).toMatchObject(Object.fromEntries(Object.entries(again.config)));
    const [written] = readdirSync(dir).filter((file) => file.endsWith(".safetensors"));
    const keys = (path: string) => [...readSafetensors(path).keys()].sort();
    expect(keys(join(dir, written!))).toEqual(keys(join(source, written!)));
  });

  it("reads text encoders with the published prefix and position_ids, and keeps the prefix", () => {
    const source = golden("tiny-sd1/text_encoder");
    const old = new Map<string, Tensor>();
    for (const [key, value] of readSafetensors(join(source, "model.safetensors")))
      old.set(`text_model.${key}`, value);
    old.set(
      "text_model.embeddings.position_ids",
      tensor(
        Array.from({ length: 77 }, (_, i) => i),
        { dtype: "int64" },
      ),
    );
    writeSafetensors(join(dir, "model.safetensors"), old, { format: "pt" });
    writeFileAtomic(join(dir, "config.json"), readFileSync(join(source, "config.json"), "utf8"));
    using model = loadTextEncoder(dir);
    using plain = loadTextEncoder(source);
    scope(() => {
      const ids = tensor([3, 5, 8], { dtype: "int64", shape: [1, 3] });
      expect(model.forward(ids).toNumbers()).toEqual(plain.forward(ids).toNumbers());
    });
    expect([...model.stateDict().keys()].every((key) => key.startsWith("text_model."))).toBe(true);
  });

  it("reads VAEs whose attention has the names of 2022", () => {
    const source = golden("tiny-sd1/vae");
    const names = { to_q: "query", to_k: "key", to_v: "value", "to_out.0": "proj_attn" };
    const old = new Map<string, Tensor>();
    for (const [key, value] of readSafetensors(join(source, "diffusion_pytorch_model.safetensors"))) {
      const found = Object.entries(names).find(([name]) => key.includes(`.${name}.`));
      old.set(found === undefined ? key : key.replace(found[0], found[1]), value);
    }
    writeSafetensors(join(dir, "diffusion_pytorch_model.safetensors"), old, { format: "pt" });
    writeFileAtomic(join(dir, "config.json"), readFileSync(join(source, "config.json"), "utf8"));
    using model = loadVae(dir);
    using plain = loadVae(source);
    scope(() => {
      const latents = randn([1, 4, 4, 4], { generator: new Generator().manualSeed(0) });
      expect(model.decode(latents).toNumbers()).toEqual(plain.decode(latents).toNumbers());
    });
  });

  it("names the folder and every key that does not fit, and leaves nothing allocated", () => {
    const count = settledTensorCount();
    scope(() => {
      const tensors = readSafetensors(golden("tiny-sd2/unet/diffusion_pytorch_model.safetensors"));
      const broken = new Map([...tensors].filter(([key]) => key !== "conv_in.bias"));
      broken.set("conv_out.bias", zeros([5]));
      broken.set("conv_extra.bias", zeros([5]));
      writeSafetensors(join(dir, "diffusion_pytorch_model.safetensors"), broken, {});
      for (const value of tensors.values()) value.dispose();
    });
    writeFileAtomic(join(dir, "config.json"), readFileSync(golden("tiny-sd2/unet/config.json"), "utf8"));
    expect(() => loadUnet(dir)).toThrow(CheckpointError);
    expect(() => loadUnet(dir)).toThrow(
      /models-[^]*conv_in\.bias[^]*conv_extra\.bias[^]*conv_out\.bias: \[5\]/,
    );
    expect(tensorCount()).toBe(count);
  });

  it("converts on the way", () => {
    using model = loadUnet(golden("tiny-sd2/unet"), { dtype: "bfloat16" });
    expect(model.parameters().every(({ dtype }) => dtype === "bfloat16")).toBe(true);
    scope(() => {
      const bf16 = { dtype: "bfloat16" } as const;
      const out = model.forward(zeros([1, 4, 8, 8], bf16), 5, zeros([1, 7, 24], bf16));
      expect(out.dtype).toBe("bfloat16");
      expect(out.toNumbers().every(Number.isFinite)).toBe(true);
    });
  });

  it("the classifier comes back the same, with two heads", () => {
    using model = ResnetClassifier.seeded({ num_classes: [2, 3] }, 1);
    saveClassifier(dir, model);
    using again = loadClassifier(dir);
    scope(() => {
      const images = randn([2, 3, 64, 64], { generator: new Generator().manualSeed(0) });
      expect(again.forward(images).toNumbers()).toEqual(model.forward(images).toNumbers());
      expect(again.features(images).shape).toEqual([2, 128]);
      expect(again.splitHeads(again.forward(images)).map(({ shape }) => shape)).toEqual([
        [2, 2],
        [2, 3],
      ]);
    });
  });
});
