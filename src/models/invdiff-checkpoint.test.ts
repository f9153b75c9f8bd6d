import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { settledTensorCount } from "../../test/settled.ts";
import type { Module } from "../nn/index.ts";
import { CheckpointError, tensorCount } from "../torch/index.ts";
import {
  loadInvdiffCheckpoint,
  loadUnet,
  saveInvdiffCheckpoint,
  saveUnet,
  UNet2DConditionModel,
} from "./index.ts";

let run = "";
beforeEach(() => void (run = mkdtempSync(join(tmpdir(), "invdiff-"))));
afterEach(() => rmSync(run, { recursive: true, force: true }));

const values = (model: Module | undefined) =>
  [...(model?.namedParameters() ?? [])].map(([key, value]) => [key, value.toNumbers()]);

/** A base from Python and a guidance network of another size. */
function networks() {
  const base = loadUnet(golden("tiny-sd2/unet"));
  const small = { ...base.config, block_out_channels: [8, 16], attention_head_dim: 2 };
  return { base, delta: UNet2DConditionModel.seeded(small, 1) };
}

describe("a checkpoint of the reference", () => {
  it("of stage 3 comes back with both networks, of different sizes, and the options", () => {
    const { base, delta } = networks();
    using _base = base;
    using _delta = delta;
    const args = {
      delta_ratio: 1.5,
      delta_param: 3,
      pretrained_model_name_or_path: "CompVis/stable-diffusion-v1-4",
    };
    const path = saveInvdiffCheckpoint(run, {
      step: 2000,
      base,
      delta,
      args,
      others: { learning_rate: 1e-4 },
    });
    expect(path).toBe(join(run, "checkpoint-2000"));
    expect(readdirSync(path).sort()).toEqual(["args.json", "unet_delta", "unet_pretrain_unet"]);
    expect(JSON.parse(readFileSync(join(path, "args.json"), "utf8"))).toEqual({
      ...args,
      learning_rate: 1e-4,
      delta: true,
    });
    using found = loadInvdiffCheckpoint(run);
    expect(found).toMatchObject({ path, step: 2000, guidance: { form: "residual", strength: 1.5 } });
    expect(found.args).toEqual({ ...args, delta: true });
    expect(found.others).toEqual({ learning_rate: 1e-4 });
    expect(values(found.base)).toEqual(values(base));
    expect(values(found.delta)).toEqual(values(delta));
    expect(found.delta?.config.block_out_channels).toEqual([8, 16]);
  });

  it("of stage 1 has a base only", () => {
    using base = loadUnet(golden("tiny-sd2/unet"));
    const path = saveInvdiffCheckpoint(join(run, "checkpoint-10"), { step: 10, base });
    expect(path).toBe(join(run, "checkpoint-10"));
    expect(readdirSync(path)).toEqual(["unet"]);
    saveInvdiffCheckpoint(run, { step: 9, base, args: { seed: 3 } });
    using found = loadInvdiffCheckpoint(run);
    expect(found).toMatchObject({ step: 10, delta: undefined, args: {} });
    expect(values(found.base)).toEqual(values(base));
    using earlier = loadInvdiffCheckpoint(join(run, "checkpoint-9"));
    expect(earlier).toMatchObject({ step: 9, args: { seed: 3, delta: false } });
  });

  it("with the guidance alone has no base", () => {
    const { base, delta } = networks();
    using _base = base;
    using _delta = delta;
    saveUnet(join(run, "unet_delta"), delta);
    using found = loadInvdiffCheckpoint(run);
    expect(found).toMatchObject({
      step: undefined,
      base: undefined,
      guidance: { form: "blend", ratio: 0.5 },
    });
    expect(values(found.delta)).toEqual(values(delta));
  });

  it("is converted, split and named as a variant like any model", () => {
    const { base, delta } = networks();
    using _base = base;
    using _delta = delta;
    const path = saveInvdiffCheckpoint(run, { step: 1, base, delta }, { dtype: "float16", variant: "fp16" });
    expect(existsSync(join(path, "unet_delta/diffusion_pytorch_model.fp16.safetensors"))).toBe(true);
    using found = loadInvdiffCheckpoint(run, { variant: "fp16" });
    expect(found.base?.parameters()[0]?.dtype).toBe("float16");
  });

  it("releases both networks, also when the second is broken", () => {
    const { base, delta } = networks();
    const path = saveInvdiffCheckpoint(run, { step: 1, base, delta });
    base[Symbol.dispose]();
    delta[Symbol.dispose]();
    const count = settledTensorCount();
    loadInvdiffCheckpoint(run)[Symbol.dispose]();
    expect(tensorCount()).toBe(count);
    rmSync(join(path, "unet_delta/diffusion_pytorch_model.safetensors"));
    expect(() => loadInvdiffCheckpoint(run)).toThrow(/unet_delta has no weights/);
    expect(tensorCount()).toBe(count);
  });

  it("of stage 3 does not become one of stage 1", () => {
    const { base, delta } = networks();
    using _base = base;
    using _delta = delta;
    saveInvdiffCheckpoint(run, { step: 1, base, delta });
    expect(() => saveInvdiffCheckpoint(run, { step: 1, base })).toThrow(CheckpointError);
    expect(() => saveInvdiffCheckpoint(run, { step: 1, base })).toThrow(
      /checkpoint-1 holds a checkpoint of stage 3/,
    );
  });
});
