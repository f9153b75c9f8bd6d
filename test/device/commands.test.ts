// The commands beside an experiment on the simulated device: sample, train-classifier, evaluate --samples, export, and the
// feature networks. Each gives what it gives on the processor, to rounding, and leaves nothing on the device.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { simulatedDevice } from "../simulated-device.ts";
import { loadImages } from "../../src/data/index.ts";
import {
  compareSamples,
  exportRun,
  parseConfig,
  sampleImages,
  sampleRequest,
  trainClassifier,
  trainClassifierRequest,
} from "../../src/experiment/index.ts";
import { SAMPLING_SCHEDULERS } from "../../src/experiment/sampling/choices.ts";
import {
  clipImageFeatures,
  type FeatureNetwork,
  inceptionFeaturesOf,
  Lpips,
  vgg16FeaturesOf,
} from "../../src/metrics/index.ts";
import { FidInception, LpipsVgg, Vgg16 } from "../../src/models/index.ts";
import { keep, memoryStats, scope, tensorCount } from "../../src/torch/index.ts";
import { writeClassifierFolder } from "../classifier-folder.ts";
import { pictures } from "../contracts/feature-network.ts";
import { COPY, finishedRun, LORA } from "../finished-run.ts";
import { formulaNetwork } from "../formula-fill.ts";
import { golden } from "../golden-dir.ts";
import { relativeError } from "../tensors.ts";
import { writeTonedPictures } from "../toned-pictures.ts";

const { device } = simulatedDevice();
const MINUTES = 60_000;

let root = "";
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), "invdiff-device-commands-"))));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

const left = () => ({ tensors: tensorCount(), bytes: memoryStats(device).allocatedBytes });

/** Largest difference of two folders' pictures of the same names, in levels of 255. */
async function levelsApart(expected: string, found: string): Promise<number> {
  const names = readdirSync(expected).filter((name) => name.endsWith(".png") && name !== "grid.png");
  expect(readdirSync(found)).toEqual(readdirSync(expected));
  expect(names.length).toBeGreaterThan(0);
  const [a, b] = await Promise.all(
    [expected, found].map((dir) =>
      loadImages(
        names.map((name) => join(dir, name)),
        { size: 32 },
      ),
    ),
  );
  return scope(() => {
    const apart = a!.to("float32").sub(b!.to("float32")).abs().max().item();
    for (const images of [a!, b!]) images.dispose();
    return apart;
  });
}

type SampleOptions = Partial<Parameters<typeof sampleRequest>[0]>;

/** Samples the same on both and compares the pictures. */
async function sampleOnBoth(name: string, options: SampleOptions): Promise<number> {
  const prompts = ["a photo of a man", "A bird?"];
  const outs = ["cpu", device].map((where) => join(root, `${name}-${where.replace(":", "")}`));
  for (const [i, where] of ["cpu", device].entries()) {
    const before = tensorCount();
    const request = sampleRequest({
      ...{ model: golden("tiny-sd1"), prompts, steps: 3, batchSize: 2, height: 32, width: 32 },
      ...{ device: where, ...options },
    });
    await sampleImages(request, { out: outs[i]! });
    expect(left()).toEqual({ tensors: before, bytes: 0 });
  }
  return levelsApart(outs[0]!, outs[1]!);
}

describe("sample", () => {
  it.each(SAMPLING_SCHEDULERS)("with %s", async (scheduler) => {
    expect(await sampleOnBoth(scheduler, { scheduler })).toBeLessThanOrEqual(1);
  });

  const options: Record<string, SampleOptions> = {
    "noise in every step": { scheduler: "ddim", eta: 1 },
    "a rescaled guidance and a negative prompt": {
      guidanceRescale: 0.7,
      negativePrompt: "a man",
      clipSkip: 1,
    },
    "no guidance, trailing timesteps": { guidanceScale: 1, timestepSpacing: "trailing", scheduler: "euler" },
    "tiles, one image at a time": { vaeTiling: true, batchSize: 1, height: 96, width: 64 },
  };
  it.each(Object.keys(options))("with %s", async (name) => {
    expect(await sampleOnBoth(name.replaceAll(/\W/g, ""), options[name]!)).toBeLessThanOrEqual(1);
  });

  it.each(["bfloat16", "float16"] as const)("in %s", async (dtype) => {
    // A step of bfloat16 near 1 is 1/128 of the range, two levels; three steps add up.
    expect(await sampleOnBoth(dtype, { dtype })).toBeLessThanOrEqual(12);
  });

  it.each([
    ["adapters", LORA],
    ["a copy", COPY],
    ["a blend from a timestep on", { ...COPY, form: "blend", from: 400 }],
  ] as const)("with the guidance of a run: %s", async (name, guidance) => {
    const run = join(root, `run ${name}`);
    finishedRun(run, { guidance: { ...guidance } });
    expect(await sampleOnBoth(name, { guidance: run })).toBeLessThanOrEqual(1);
  });
});

describe("export", () => {
  it("gives what the device samples with", async () => {
    const run = join(root, "exported-run");
    finishedRun(run, { guidance: LORA, config: { device } });
    const { path } = await exportRun({ run, to: join(root, "merged"), as: "merged" });
    const outs = ["guided", "merged-samples"].map((name) => join(root, name));
    const common = { prompts: ["a bird"], steps: 2, height: 32, width: 32, device };
    await sampleImages(sampleRequest({ ...common, model: golden("tiny-sd1"), guidance: run }), {
      out: outs[0]!,
    });
    await sampleImages(sampleRequest({ ...common, model: path }), { out: outs[1]! });
    expect(await levelsApart(outs[0]!, outs[1]!)).toBeLessThanOrEqual(1);
    expect(left().bytes).toBe(0);
  });
});

describe("train-classifier", () => {
  it(
    "learns the same, and goes on to the very bits after an interruption",
    async () => {
      const data = join(root, "toned");
      // Adam moves a weight by the learning rate whatever its gradient's size, so that rounding shows at a larger one.
      await writeTonedPictures(data, { train: 12, validation: 6 });
      const settings = { imageSize: 32, epochs: 2, batchSize: 4, lr: 1e-6, threads: 1, balance: true };
      const requestOf = (where: string, out: string) =>
        trainClassifierRequest({ data, column: "tone", out: join(root, out), ...settings, device: where });
      const metricsOf = (out: string): Record<string, number>[] =>
        readFileSync(join(root, out, "metrics.jsonl"), "utf8")
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as Record<string, number>);
      await trainClassifier(requestOf("cpu", "tone-cpu"));
      const before = tensorCount();
      await trainClassifier(requestOf(device, "tone-device"));
      const [expected, found] = ["tone-cpu", "tone-device"].map(metricsOf);
      expect(found).toHaveLength(2);
      for (const [i, line] of found!.entries())
        expect(Math.abs(line["trainLoss"]! / expected![i]!["trainLoss"]! - 1)).toBeLessThan(1e-4);
      const controller = new AbortController();
      const stopped = trainClassifier(requestOf(device, "tone-stopped"), {
        signal: controller.signal,
        onProgress: ({ task, done }) =>
          task === "training" && done === 2 && controller.abort(new Error("stopped")),
      });
      await expect(stopped).rejects.toThrow("stopped");
      await trainClassifier(requestOf(device, "tone-stopped"));
      for (const name of ["model.safetensors", "metrics.jsonl"])
        expect(
          readFileSync(join(root, "tone-stopped", name)).equals(
            readFileSync(join(root, "tone-device", name)),
          ),
        ).toBe(true);
      expect(left()).toEqual({ tensors: before, bytes: 0 });
    },
    MINUTES,
  );
});

describe("evaluate --samples", () => {
  it(
    "finds the same table with CLIP and a given classifier",
    async () => {
      vi.stubEnv("INVDIFF_NETWORKS", join(root, "no-networks"));
      vi.stubEnv("HF_HUB_CACHE", join(root, "no-cache"));
      const samples = join(root, "samples");
      for (const [name, seed] of [
        ["base", 0],
        ["guided", 50],
      ] as const)
        await sampleImages(
          sampleRequest({
            ...{ model: golden("tiny-sd1"), prompts: ["a man", "a bird"], perPrompt: 4, seed, steps: 1 },
            ...{ height: 32, width: 32, batchSize: 8 },
          }),
          { out: join(samples, name) },
        );
      const reference = join(samples, "reference");
      cpSync(join(samples, "base"), reference, { recursive: true });
      const place = join(samples, "place");
      {
        using given = scope(() => keep(pictures(8, 32, 32)));
        writeClassifierFolder(place, { column: "place", values: ["water", "land"], pictures: given });
      }
      const tableOn = async (where: string) => {
        const { evaluation, seed, device, threads, accelerator } = parseConfig({
          ...{ device: where, threads: 1 },
          evaluation: { classifiers: [place], clip: golden("tiny-clip"), bootstrap: 20 },
        });
        return compareSamples({
          models: ["base", "guided"].map((label) => ({ label, dir: join(samples, label) })),
          ...{ reference, out: join(root, `table-${where.replace(":", "")}`), reproduce: [] },
          settings: { evaluation, seed, device, threads, accelerator },
        });
      };
      const [expected, found] = [await tableOn("cpu"), await tableOn(device)];
      expect(found.metrics.map(({ key }) => key)).toEqual(expected.metrics.map(({ key }) => key));
      for (const [i, { key, values }] of found.metrics.entries())
        for (const [model, value] of Object.entries(values)) {
          const other = expected.metrics[i]!.values[model];
          if (value === null || other == null) expect([key, value]).toEqual([key, other]);
          else
            expect(Math.abs(value.value - other.value), key).toBeLessThan(
              1e-3 * Math.max(1, Math.abs(other.value)),
            );
        }
      expect(left().bytes).toBe(0);
    },
    MINUTES,
  );
});

describe("feature networks", () => {
  const key = "ab".repeat(32);
  const networks: Record<string, (where: string) => FeatureNetwork> = {
    Inception: (where) =>
      inceptionFeaturesOf(formulaNetwork((vs) => new FidInception(vs, { width: 1 / 16 })).to({ device: where }), { key, device: where }), // prettier-ignore
    VGG16: (where) => vgg16FeaturesOf(formulaNetwork((vs) => new Vgg16(vs, { channels: [4, 4, 8, 8, 8], hidden: 24 })).to({ device: where }), { key, device: where }), // prettier-ignore
    CLIP: (where) => clipImageFeatures(golden("tiny-clip"), { key, device: where }),
  };
  it.each(Object.keys(networks))("%s sees the same", (name) => {
    const before = left();
    const rowsOn = (where: string) => {
      using network = networks[name]!(where);
      return scope(() => keep(network.features(pictures(3))));
    };
    using expected = rowsOn("cpu");
    using found = rowsOn(device);
    expect(found.device).toBe("cpu");
    expect(scope(() => relativeError(found, expected))).toBeLessThan(1e-5);
    expect(left()).toEqual({ tensors: before.tensors + 2, bytes: before.bytes });
  });

  it("LPIPS measures the same", () => {
    const distancesOn = (where: string): number[] => {
      using lpips = new Lpips(LpipsVgg.seeded({ channels: [4, 4, 8, 8, 8] }, 5).to({ device: where }), {
        device: where,
      });
      return scope(() => [...lpips.pairDistances(pictures(3, 24, 24))]);
    };
    const [expected, found] = [distancesOn("cpu"), distancesOn(device)];
    found.forEach((value, i) => expect(Math.abs(value / expected[i]! - 1)).toBeLessThan(1e-5));
    expect(memoryStats(device).allocatedBytes).toBe(0);
  });
});
