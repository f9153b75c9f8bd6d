// How often a program waits for the device where batch follows batch: group inference, encoding, feature networks,
// classifiers. Training and sampling are counted beside them (device-steps, text-to-image-device).
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { simulatedDevice } from "../simulated-device.ts";
import { openEncoders } from "../../src/experiment/cache/encoders.ts";
import { openClassifier, trainClassifier, trainClassifierRequest } from "../../src/experiment/index.ts";
import { clipImageFeatures } from "../../src/metrics/index.ts";
import { measureSignal, type SignalName } from "../../src/method/index.ts";
import { UNet2DConditionModel } from "../../src/models/index.ts";
import { graphedDenoiser } from "../../src/pipelines/index.ts";
import { loadScheduler } from "../../src/schedulers/index.ts";
import { scope } from "../../src/torch/index.ts";
import { pictures } from "../contracts/feature-network.ts";
import { golden } from "../golden-dir.ts";
import { memorySet } from "../memory-set.ts";
import { writeTonedPictures } from "../toned-pictures.ts";
import { TINY_UNET } from "../training-job.ts";

const simulated = simulatedDevice();
const { device } = simulated;

let root = "";
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), "invdiff-waits-"))));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("group inference", () => {
  const scheduler = loadScheduler(golden("tiny-sd1/scheduler"), { as: "ddpm" });
  const options = { seed: 1, batchSize: 4, timesteps: [700, 999], noises: 2 };

  async function measured(name: SignalName, where: string, { images = 18, graphs = false } = {}) {
    using set = memorySet({ images, latentShape: [4, 4, 4], stateShape: [3, 8], device: where });
    using unet = UNet2DConditionModel.seeded(TINY_UNET, 0).to({ device: where });
    using graphed = graphs ? graphedDenoiser(unet, where) : undefined;
    simulated.resetWaits();
    const before = simulated.launches();
    const { losses } = await measureSignal(name, { denoiser: graphed ?? unet, scheduler }, set, options);
    return { losses, waits: simulated.waits(), launches: simulated.launches() - before };
  }

  it.each(["profile", "single", "reference"] as const)("%s gives the processor's losses", async (name) => {
    const [expected, found] = [await measured(name, "cpu"), await measured(name, device)];
    for (const [i, loss] of found.losses.entries())
      expect(Math.abs(loss - expected.losses[i]!)).toBeLessThan(1e-5);
  });

  it("waits once, for the last batch, however many there are", async () => {
    for (const name of ["profile", "single"] as const) {
      expect((await measured(name, device)).waits).toBe(1);
      expect((await measured(name, device, { images: 34 })).waits).toBe(1);
    }
  });

  it("replays its network, to the same bits, with fewer launches", async () => {
    const [plain, graphed] = [
      await measured("profile", device),
      await measured("profile", device, { graphs: true }),
    ];
    expect(graphed.losses).toEqual(plain.losses);
    expect(graphed.launches).toBeLessThan(0.5 * plain.launches);
  });
});

describe("frozen networks", () => {
  it("encode a batch without a wait", () => {
    using encoders = openEncoders({ folder: golden("tiny-sd1"), resolution: 64, device });
    scope(() => {
      const images = pictures(4, 64, 64);
      encoders.moments(images).dispose();
      simulated.resetWaits();
      encoders.moments(images).dispose();
      expect(simulated.waitLines().filter((line) => !line.startsWith("staged"))).toEqual([]);
    });
  });

  it("give the features of many batches with one wait", () => {
    using network = clipImageFeatures(golden("tiny-clip"), { key: "ab".repeat(32), device, batchSize: 2 });
    scope(() => {
      const images = pictures(7);
      simulated.resetWaits();
      network.features(images).dispose();
      expect(simulated.waits()).toBe(1);
    });
  });
});

describe("a classifier", () => {
  it("waits once for each batch, after the whole step was queued, and once for each that it judges", async () => {
    const data = join(root, "toned");
    await writeTonedPictures(data, { train: 12, validation: 4 });
    const waitsOfTraining = async (name: string, batchSize: number) => {
      const request = {
        data,
        column: "tone",
        imageSize: 32,
        epochs: 1,
        batchSize,
        lr: 1e-4,
        threads: 1,
        device,
      };
      simulated.resetWaits();
      await trainClassifier(trainClassifierRequest({ ...request, out: join(root, name) }));
      return simulated.waits();
    };
    // 3 and 6 training batches; judged are validation once more than training, which is judged at the end.
    const [three, six] = [await waitsOfTraining("three", 4), await waitsOfTraining("six", 2)];
    expect(six - three).toBe(3 + 3 + 2 * 1);
    using classifier = await openClassifier(join(root, "three"), { device, column: "tone" });
    scope(() => {
      const images = pictures(4, 32, 32);
      classifier.classify(images);
      simulated.resetWaits();
      classifier.classify(images);
      expect(simulated.waits()).toBe(1);
    });
  });
});
