// Whole pipelines against diffusers: same folders, prompts and seeds. Goldens: pipeline-{sd1,sd2}.
import { describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/checkpoint/index.ts";
import { loadPipeline } from "../../src/pipelines/index.ts";
import type { SchedulerName } from "../../src/schedulers/index.ts";
import { scope, type Tensor } from "../../src/torch/index.ts";
import { golden } from "../golden-dir.ts";
import { pipelineRuns, type PipelineRun } from "../pipeline-runs.ts";
import { relativeError } from "../tensors.ts";
import { within } from "./within.ts";

type Options = { batchSize?: number; only?: number };

async function generate(kind: string, run: PipelineRun, { batchSize, only }: Options = {}) {
  const pipeline = loadPipeline(golden(`tiny-${kind}`), { scheduler: run.scheduler as SchedulerName });
  const pick = <T>(list: readonly T[]) => (only === undefined ? list : list.slice(only, only + 1));
  try {
    const { latents, images } = await pipeline.generate({
      prompts: pick(run.prompts),
      seeds: pick(run.seeds),
      steps: run.steps,
      guidanceScale: run.guidance_scale,
      batchSize,
    });
    return { latents, images: images! };
  } finally {
    for (const model of [pipeline.parts.unet, pipeline.parts.vae, pipeline.parts.textEncoder])
      model[Symbol.dispose]();
  }
}

const dispose = (...tensors: Tensor[]) => tensors.forEach((tensor) => tensor.dispose());

describe.each(["sd1", "sd2"])("pipeline-%s", (kind) => {
  const runs = pipelineRuns(kind);

  it.each(runs)("$key", async (run) => {
    const expected = readSafetensors(golden(`pipeline-${kind}.safetensors`));
    const { latents, images } = await generate(kind, run);
    scope(() => {
      within(
        `pipeline-${kind}: latents`,
        run.key,
        relativeError(latents, expected.get(`${run.key}.latents`)!),
        1e-3,
      );
      // The golden's images are [N, H, W, 3].
      const pixels = expected.get(`${run.key}.images_u8`)!.permute([0, 3, 1, 2]).to("int32");
      const levels = images.to("int32").sub(pixels).abs().max().item();
      within(`pipeline-${kind}: 8-bit images (levels)`, run.key, levels, 2);
    });
    dispose(latents, images, ...expected.values());
  });

  it.each(runs.filter(({ guidance_scale }) => guidance_scale > 1))(
    "$key: an image does not depend on its batch, but for the rounding of kernels that choose by shape",
    async (run) => {
      const together = await generate(kind, run);
      const alone = await generate(kind, run, { only: 1 });
      const inTurn = await generate(kind, run, { batchSize: 1 });
      scope(() => {
        const second = (xs: Tensor) => xs.slice(0, 1, 2);
        const error = relativeError(alone.latents, second(together.latents));
        within(`pipeline-${kind}: latents, batch 1 against 2`, run.key, error, 1e-5);
        const levels = (a: Tensor, b: Tensor) => a.to("int32").sub(b.to("int32")).abs().max().item();
        expect(levels(alone.images, second(together.images))).toBeLessThanOrEqual(1);
        // Order and neighbours in time have no influence at all.
        expect(alone.latents.toNumbers()).toEqual(second(inTurn.latents).toNumbers());
        expect(levels(alone.images, second(inTurn.images))).toBe(0);
      });
      for (const { latents, images } of [together, alone, inTurn]) dispose(latents, images);
    },
  );
});
