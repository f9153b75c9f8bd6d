// A whole experiment on the simulated device, with every comparison: the numbers are the processor's to rounding (the
// same kernels run, but the networks in channels-last), and nothing stays behind on the device.
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { simulatedDevice } from "../simulated-device.ts";
import { readSafetensors } from "../../src/checkpoint/index.ts";
import { InterruptedError } from "../../src/experiment/index.ts";
import { memoryStats, scope, type Tensor, tensorCount } from "../../src/torch/index.ts";
import { differingFiles, filesBelow, readJson, run, tinyConfig } from "../tiny-experiment.ts";

const { device } = simulatedDevice();
const MINUTES = 60_000;

const SETTINGS = {
  data: { train: 48, validation: 24 },
  base: { steps: 4, batchSize: 8, warmup: 1, checkpointEvery: 2, validateEvery: 2, snrGamma: 5 },
  guidance: { steps: 3, batchSize: 8, warmup: 1, rank: 2, checkpointEvery: 2 },
  validation: { images: 8, prompts: ["a photo of a landbird"], perPrompt: 1, steps: 2 },
  samples: { perPrompt: 3, steps: 3, batchSize: 4 },
  evaluation: {
    ...{ classifierSteps: 4, bootstrap: 20 },
    compare: ["oracle", "reference", "diverse-prompt", "reweighting"],
  },
};

/** Without the models to compare with. */
const ALONE = { ...SETTINGS, evaluation: {} };

let root = "";
const outOf = (name: string): string => join(root, name);
const both = (...path: string[]): [cpu: string, device: string] => [
  join(outOf("cpu"), ...path),
  join(outOf("device"), ...path),
];
const left = () => ({ tensors: tensorCount(), bytes: memoryStats(device).allocatedBytes });

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "invdiff-device-"));
  await run(tinyConfig(SETTINGS), outOf("cpu"));
  await run(tinyConfig({ ...SETTINGS, device }), outOf("device"));
}, 4 * MINUTES);
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Difference of two tensors in the 2-norm, as a share of the first one's. */
function distance(expected: Tensor, found: Tensor): number {
  const wide = expected.to("float64");
  const norm = Math.max(wide.norm().item(), 1e-6);
  return wide.sub(found.to("float64")).norm().item() / norm;
}

/** Largest such difference of all tensors of two files. */
const farthest = (expected: string, found: string): number =>
  scope(() => {
    const [a, b] = [readSafetensors(expected), readSafetensors(found)];
    expect([...b.keys()]).toEqual([...a.keys()]);
    return Math.max(...[...a].map(([key, value]) => distance(value, b.get(key)!)));
  });

const lossesOf = (out: string, stage: string): number[] => readJson<number[]>(out, stage, "losses.json");

function expectSameLosses(expected: number[], found: number[], tolerance: number): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, loss] of found.entries())
    expect(Math.abs(loss / expected[i]! - 1), `step ${i + 1}`).toBeLessThan(tolerance);
}

describe("a whole run on a device", () => {
  it("runs every stage and leaves no tensor and no memory", () => {
    expect(left()).toEqual({ tensors: 0, bytes: 0 });
    const stages = [...filesBelow(outOf("device"), "manifest.json").keys()];
    expect(stages).toEqual([...filesBelow(outOf("cpu"), "manifest.json").keys()]);
    expect(stages.length).toBeGreaterThan(14);
  });

  it.each(["base", "guidance", "guidance-oracle", "guidance-reference", "reweighted"])(
    "%s: the losses",
    (stage) => expectSameLosses(lossesOf(outOf("cpu"), stage), lossesOf(outOf("device"), stage), 1e-5),
  );

  it("weights, group losses and groups", () => {
    expect(farthest(...both("base", "unet", "diffusion_pytorch_model.safetensors"))).toBeLessThan(1e-4);
    expect(farthest(...both("guidance", "lora.safetensors"))).toBeLessThan(5e-3);
    for (const groups of ["groups", "groups-reference"]) {
      expect(farthest(...both(groups, "groups.safetensors"))).toBeLessThan(1e-3);
      const [expected, found] = both(groups, "groups.json").map((path) => readJson(path));
      expect(found!["found"]).toBe(expected!["found"]);
      expect(found!["method"]).toBe(expected!["method"]);
    }
  });

  it("validation losses", () => {
    const linesOf = (out: string) =>
      readFileSync(join(out, "base", "metrics.jsonl"), "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, number>)
        .filter((line) => "validationLoss" in line);
    const [expected, found] = ["cpu", "device"].map((name) => linesOf(outOf(name)));
    expect(found!.length).toBeGreaterThan(1);
    expectSameLosses(
      expected!.map((line) => line["validationLoss"]!),
      found!.map((line) => line["validationLoss"]!),
      1e-5,
    );
  });

  it.each([
    ...["samples-base", "samples", "samples-oracle", "samples-reference"],
    ...["samples-diverse-prompt", "samples-reweighted"],
  ])("%s: the images, but for a rounded pixel here and there", (stage) => {
    scope(() => {
      const [expected, found] = both(stage, "images.safetensors").map((path) =>
        readSafetensors(path).get("images")!.to("float32"),
      );
      const difference = found!.sub(expected!).abs();
      expect(difference.max().item()).toBeLessThanOrEqual(1);
      expect(difference.mean().item()).toBeLessThan(0.01);
    });
  });

  it("the classifiers and the numbers of the evaluation", () => {
    expect(farthest(...both("classifiers", "model.safetensors"))).toBeLessThan(0.05);
    const [expected, found] = both("evaluation", "result.json").map((path) => readJson(path));
    expect(Object.keys(found!)).toEqual(Object.keys(expected!));
    for (const model of ["base", "guided", "oracle", "reference"]) {
      const [a, b] = [expected!, found!].map(
        (result) => result[model] as { fid: number; bias: number } | undefined,
      );
      if (a === undefined) continue;
      expect(Math.abs(b!.fid / a.fid - 1)).toBeLessThan(0.01);
      expect(Math.abs(b!.bias - a.bias)).toBeLessThan(0.35); // one image of three may lie on the edge
    }
  });

  it(
    "goes on after an interruption to the very bits of the whole run",
    async () => {
      const out = outOf("interrupted");
      const config = tinyConfig({ ...ALONE, device });
      const stops = [
        ["base", 3],
        ["guidance", 1],
      ] as const;
      for (const [stage, step] of stops) {
        const controller = new AbortController();
        const reason = new InterruptedError("Stopped by Ctrl-C.");
        const stopped = run(config, out, {
          only: ["data", "latents", "base", "groups", "guidance"],
          signal: controller.signal,
          onProgress: (progress) => {
            if (progress.stage === stage && progress.task === "training" && progress.done === step)
              controller.abort(reason);
          },
        });
        await expect(stopped).rejects.toBe(reason);
      }
      const { events } = await run(config, out, { only: ["guidance"] });
      expect(events).toContain("guidance resumed");
      for (const name of [
        "base/unet",
        "base/losses.json",
        "guidance/lora.safetensors",
        "guidance/losses.json",
      ]) {
        const filesOf = (folder: string) =>
          new Map([...filesBelow(folder)].filter(([file]) => file.startsWith(name)));
        expect(differingFiles(filesOf(outOf("device")), filesOf(out))).toEqual([]);
      }
      expect(left()).toEqual({ tensors: 0, bytes: 0 });
    },
    MINUTES,
  );
});

/** [name, settings of the guidance, tolerance of the losses] */
const KINDS: [name: string, changes: Record<string, unknown>, tolerance: number][] = [
  ["the reference's blend of a small network", { guidance: { form: "blend", module: "small4" } }, 1e-5],
  [
    "a copy, every option of a step",
    {
      guidance: {
        ...{
          form: "residual",
          module: "copy",
          batchSize: 4,
          accumulation: 2,
          gradientCheckpointing: true,
        },
        ...{ noiseOffset: 0.1, inputPerturbation: 0.1, captionDropout: 0.3 },
      },
    },
    1e-5,
  ],
  ["images encoded at every step", { data: { cache: false } }, 1e-5],
  ["deterministic, without graphs", { accelerator: { graphs: "off", channelsLast: "off", deterministic: true } }, 1e-5], // prettier-ignore
  // A card lowers other operators than the processor does.
  ["bfloat16", { guidance: { precision: "bfloat16", batchSize: 4 } }, 2e-2],
  ["float16", { guidance: { precision: "float16", batchSize: 2 } }, 2e-2],
];

describe("guidance on a device", () => {
  beforeAll(() => {
    // The base and the groups of one run serve both: where they are used is no part of a stage's inputs.
    for (const name of ["kinds-cpu", "kinds-device"]) cpSync(outOf("cpu"), outOf(name), { recursive: true });
  });

  it.each(KINDS)(
    "%s: the losses, and nothing stays",
    async (_, changes, tolerance) => {
      const guidance = { ...SETTINGS.guidance, steps: 2, ...(changes["guidance"] as object | undefined) };
      const data = { ...SETTINGS.data, ...(changes["data"] as object | undefined) };
      const settings = { ...ALONE, ...changes, guidance, data };
      const options = { only: ["guidance"], force: true };
      // How a card is used makes no stage anew.
      for (const name of ["kinds-cpu", "kinds-device"])
        rmSync(join(outOf(name), "guidance"), { recursive: true, force: true });
      await run(tinyConfig(settings), outOf("kinds-cpu"), options);
      await run(tinyConfig({ ...settings, device }), outOf("kinds-device"), options);
      const losses = ["kinds-cpu", "kinds-device"].map((name) => lossesOf(outOf(name), "guidance"));
      expectSameLosses(losses[0]!, losses[1]!, tolerance);
      expect(left()).toEqual({ tensors: 0, bytes: 0 });
    },
    2 * MINUTES,
  );
});
