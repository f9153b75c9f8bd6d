// Guided sampling on the simulated device: graphs follow the adapters, the strength and the timestep that guidance begins at.
import { describe, expect, it } from "vitest";
import { GuidedDenoiser } from "../../src/method/index.ts";
import { loadUnet } from "../../src/models/index.ts";
import { Lora } from "../../src/nn/index.ts";
import { loadPipeline, type TextToImagePipeline } from "../../src/pipelines/index.ts";
import { noGrad } from "../../src/torch/index.ts";
import { golden } from "../golden-dir.ts";
import { simulatedDevice } from "../simulated-device.ts";

const simulated = simulatedDevice();
const { device } = simulated;

const open = () => loadPipeline(golden("tiny-sd2"), { device, scheduler: "ddim" });

const release = ({ parts }: ReturnType<typeof open>) => {
  for (const part of [parts.unet, parts.vae, parts.textEncoder]) part[Symbol.dispose]();
};

const sample = async (pipeline: TextToImagePipeline) => {
  const { latents, images } = await pipeline.generate({
    ...{ prompts: ["a bird", "a boat", "a bird"], seeds: [1, 2, 3], steps: 5, batchSize: 2 },
  });
  const numbers = [...latents.toNumbers(), ...images!.toNumbers()];
  latents.dispose();
  images!.dispose();
  return numbers;
};

describe("guidance in graphs", () => {
  it.each([0, 500])("of adapters, from timestep %d, at several strengths", async (from) => {
    const pipeline = open();
    const { unet } = pipeline.parts;
    const lora = new Lora(unet.requiresGrad_(false), { rank: 2 });
    noGrad(() => {
      for (const [key, value] of lora.namedParameters()) if (key.includes("lora_B")) value.fill_(0.02);
    });
    const seen: number[][] = [];
    for (const strength of [1, 0.5]) {
      const guided = new GuidedDenoiser(unet, { kind: "lora", lora }, { form: "difference", strength, from });
      const plain = await sample(pipeline.with({ unet: guided }));
      simulated.resetWaits();
      expect(await sample(pipeline.with({ unet: guided, graphs: true }))).toEqual(plain);
      // One synchronisation for each recording besides the reads of two batches.
      expect(simulated.waits("read")).toBe(4);
      seen.push(plain);
    }
    expect(seen[0]).not.toEqual(seen[1]);
    lora[Symbol.dispose]();
    release(pipeline);
  });

  it("of a network of its own", async () => {
    const pipeline = open();
    const { unet } = pipeline.parts;
    using network = loadUnet(golden("tiny-sd2/unet"), { device });
    noGrad(() => network.parameters().forEach((value) => value.mul_(1.01)));
    const guidance = { form: "residual", strength: 0.3, from: 300 } as const;
    const guided = new GuidedDenoiser(unet, { kind: "network", network }, guidance);
    const plain = await sample(pipeline.with({ unet: guided }));
    expect(await sample(pipeline.with({ unet: guided, graphs: true }))).toEqual(plain);
    release(pipeline);
  });
});
