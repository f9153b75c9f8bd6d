import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CheckpointError } from "../torch/index.ts";
import { invdiffFolder, invdiffPaths } from "./index.ts";

let run: string;
beforeEach(() => void (run = mkdtempSync(join(tmpdir(), "run-"))));
afterEach(() => rmSync(run, { recursive: true }));

const make = (...names: string[]) => names.forEach((name) => mkdirSync(join(run, name), { recursive: true }));

describe("a run of the reference", () => {
  it("has its networks in the checkpoint with the highest step", () => {
    make("checkpoint-900/unet", "checkpoint-10000/unet_delta", "checkpoint-10000/unet_pretrain_unet", "logs");
    make("checkpoint-10000/unet", "unet", "checkpoint-x", "vae"); // the pipeline that a finished run holds
    writeFileSync(join(run, "checkpoint-99999"), "");
    writeFileSync(join(run, "checkpoint-10000/args.json"), '{"delta_ratio": 0.4, "wandb": true}');
    const path = join(run, "checkpoint-10000");
    expect(invdiffFolder(run)).toEqual({
      path,
      step: 10000,
      base: join(path, "unet_pretrain_unet"),
      delta: join(path, "unet_delta"),
      args: { delta_ratio: 0.4 },
      others: { wandb: true },
    });
    expect(invdiffFolder(`${path}/`)).toMatchObject({ step: 10000, delta: join(path, "unet_delta") });
  });

  it("has one network in stage 1", () => {
    make("checkpoint-7/unet");
    const expected = { step: 7, base: join(run, "checkpoint-7/unet"), delta: undefined, args: {} };
    expect(invdiffFolder(run)).toMatchObject(expected);
    expect(invdiffFolder(join(run, "checkpoint-7"))).toMatchObject(expected);
  });

  it("may be a copy under another name, with the guidance alone", () => {
    make("unet_delta");
    expect(invdiffFolder(run)).toMatchObject({
      step: undefined,
      base: undefined,
      delta: join(run, "unet_delta"),
    });
  });

  it("that is none says what was looked for", () => {
    make("vae");
    expect(() => invdiffFolder(run)).toThrow(CheckpointError);
    expect(() => invdiffFolder(run)).toThrow(/is no checkpoint of InvDiff.*no checkpoint-N; it holds vae/);
    expect(() => invdiffFolder(join(run, "gone"))).toThrow(/gone is no folder/);
    make("checkpoint-3/unet_pretrain_unet");
    expect(() => invdiffFolder(run)).toThrow(/checkpoint-3 has unet_pretrain_unet but no unet_delta/);
  });

  it("broken options are named", () => {
    make("unet_delta");
    writeFileSync(join(run, "args.json"), '{"delta_ratio": "half"}');
    expect(() => invdiffFolder(run)).toThrow(`${join(run, "args.json")}: delta_ratio is "half"`);
  });

  it("is written into the run's folder or the checkpoint's own", () => {
    expect(invdiffPaths("run", 5).delta).toBe(join("run", "checkpoint-5", "unet_delta"));
    expect(invdiffPaths(join("run", "checkpoint-5"), 5).args).toBe(join("run", "checkpoint-5", "args.json"));
    expect(invdiffPaths(join("run", "checkpoint-5"), 6).path).toBe(
      join("run", "checkpoint-5", "checkpoint-6"),
    );
  });
});
