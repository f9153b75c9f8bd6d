// Guidance found and put around its base: the reference's checkpoints, runs of ours, LoRA files.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { golden } from "../../../test/golden-dir.ts";
import { readSafetensors, writeSafetensors } from "../../checkpoint/index.ts";
import { loadUnet, saveInvdiffCheckpoint, saveUnet, type UNet2DConditionModel } from "../../models/index.ts";
import type { Denoiser } from "../../pipelines/index.ts";
import { CheckpointError, inferenceMode, noGrad, scope } from "../../torch/index.ts";
import { makeGuidance } from "../stages/guidance-model.ts";
import { findGuidance } from "./find-guidance.ts";
import { guidanceSettings, openGuidance, strengthOf } from "./open-guidance.ts";

let root: string;
let base: UNet2DConditionModel;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "guidance-"));
  base = loadUnet(golden("tiny-sd2/unet"));
});
afterEach(() => {
  base[Symbol.dispose]();
  rmSync(root, { recursive: true });
});

const inputs = readSafetensors(golden("models-sd2.safetensors"));
const predict = (denoiser: Denoiser): number[] =>
  inferenceMode(() =>
    scope(() =>
      denoiser
        .forward(
          inputs.get("unet.sample")!,
          inputs.get("unet.timestep")!,
          inputs.get("unet.encoder_hidden_states")!,
        )
        .toNumbers(),
    ),
  );
const farthest = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

describe("a checkpoint of the reference", () => {
  it("blends by its delta_ratio, or by the strength that is asked for", () => {
    using delta = base.clone();
    noGrad(() => scope(() => void delta.stateDict().get("conv_out.bias")!.add_(1)));
    saveInvdiffCheckpoint(root, { step: 1000, base, delta, args: { delta_ratio: 0.9 } });
    saveInvdiffCheckpoint(root, { step: 2000, base, delta, args: { delta_ratio: 0.25 } });
    const source = findGuidance(root);
    expect(source).toEqual({
      kind: "invdiff",
      dir: join(root, "checkpoint-2000"),
      base: join(root, "checkpoint-2000", "unet_pretrain_unet"),
    });
    expect(findGuidance(join(root, "checkpoint-1000"))).toMatchObject({ dir: join(root, "checkpoint-1000") });
    expect(strengthOf(guidanceSettings(source))).toBe(0.25);
    const plain = predict(base);
    for (const strength of [0.25, 0.5]) {
      using guidance = openGuidance(source, base, { strength });
      const expected = plain.map((value) => value + strength);
      expect(farthest(predict(guidance.forSampling()), expected)).toBeLessThan(1e-5);
    }
  });

  it("without a base of its own takes the model's", () => {
    saveUnet(join(root, "unet_delta"), base);
    expect(findGuidance(root)).toEqual({ kind: "invdiff", dir: root, base: undefined });
  });
});

describe("a run of ours", () => {
  it("brings the base that its guidance was trained around", () => {
    mkdirSync(join(root, "guidance"));
    saveUnet(join(root, "base", "unet"), base);
    const settings = { form: "difference", module: "lora", rank: 2, strength: 1, ratio: 0.5 } as const;
    using trained = makeGuidance(base, settings, 0);
    trained.save(join(root, "guidance"));
    const found = { kind: "stage", dir: join(root, "guidance"), base: join(root, "base", "unet") };
    expect(findGuidance(root)).toEqual(found);
    expect(findGuidance(join(root, "guidance"))).toEqual(found);
  });

  it("without a second population has no guidance, and says so", () => {
    mkdirSync(join(root, "guidance"));
    writeFileSync(join(root, "guidance", "manifest.json"), "{}");
    expect(() => findGuidance(root)).toThrow(
      /no under-represented population was found.*Leave out --guidance/,
    );
  });
});

describe("a LoRA file", () => {
  it("is scaled by the alpha of its metadata", () => {
    const settings = { form: "difference", module: "lora", rank: 2, strength: 1, ratio: 0.5 } as const;
    let trained: number[];
    {
      using guidance = makeGuidance(base, settings, 0);
      noGrad(() => scope(() => [...guidance.weights.values()].forEach((weight) => weight.add_(0.02))));
      guidance.save(root);
      trained = predict(guidance.denoiser);
    }
    const file = join(root, "lora.safetensors");
    const tensors = readSafetensors(file);
    const withAlpha = (alpha: number): number[] => {
      const metadata = JSON.stringify({ "unet.lora_alpha": alpha });
      writeSafetensors(join(root, "other.safetensors"), tensors, { lora_adapter_metadata: metadata });
      using guidance = openGuidance(findGuidance(join(root, "other.safetensors")), base, { strength: 1 });
      return predict(guidance.denoiser);
    };
    expect(farthest(withAlpha(2), trained)).toBeLessThan(1e-6);
    expect(farthest(withAlpha(4), trained)).toBeGreaterThan(1e-3);
  });

  it("of something else is named, and the base stays usable", () => {
    const open = (name: string, tensors: Parameters<typeof writeSafetensors>[1]) => {
      writeSafetensors(join(root, name), tensors);
      return () => openGuidance(findGuidance(join(root, name)), base, { strength: 1 });
    };
    const bias = base.stateDict().get("conv_in.bias")!;
    expect(open("a.safetensors", { "conv_in.bias": bias })).toThrow(CheckpointError);
    expect(open("a.safetensors", { "conv_in.bias": bias })).toThrow(/a\.safetensors holds no adapters/);
    expect(open("b.safetensors", { "text_encoder.x.lora_A.weight": bias })).toThrow(/text encoder too/);
    expect(open("c.safetensors", { "unet.nowhere.lora_A.weight": bias })).toThrow(/c\.safetensors: LoRA/);
    expect(predict(base).every(Number.isFinite)).toBe(true);
  });
});

describe("anything else", () => {
  it("is refused with what is expected", () => {
    writeFileSync(join(root, "notes.txt"), "");
    expect(() => findGuidance(join(root, "no"))).toThrow(/does not exist/);
    expect(() => findGuidance(join(root, "notes.txt"))).toThrow(/expected a folder or LoRA weights/);
    expect(() => findGuidance(root)).toThrow(
      /holds no guidance \(found: notes\.txt\); expected guidance\.json/,
    );
  });
});
