// Whole pipelines against diffusers: same folders, prompts and seeds. Goldens: test/golden/pipeline-{sd1,sd2}.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { readSafetensors } from "../checkpoint/index.ts";
import { SCHEDULERS, type SchedulerName } from "../schedulers/index.ts";
import { scope } from "../torch/index.ts";
import { loadPipeline } from "./index.ts";

interface Run {
  key: string;
  scheduler: string;
  steps: number;
  guidance_scale: number;
  seeds: number[];
  prompts: string[];
}

describe.each(["sd1", "sd2"])("tiny-%s", (kind) => {
  const runs = JSON.parse(readFileSync(golden(`pipeline-${kind}.json`), "utf8")) as Run[];
  for (const run of runs.filter(({ scheduler }) => scheduler in SCHEDULERS)) {
    it(run.key, async () => {
      const pipeline = loadPipeline(golden(`tiny-${kind}`), { scheduler: run.scheduler as SchedulerName });
      const expected = readSafetensors(golden(`pipeline-${kind}.safetensors`));
      const { latents, images } = await pipeline.generate({
        prompts: run.prompts,
        seeds: run.seeds,
        steps: run.steps,
        guidanceScale: run.guidance_scale,
      });
      scope(() => {
        const wanted = expected.get(`${run.key}.latents`)!;
        const relative = latents.sub(wanted).norm().item() / wanted.norm().item();
        expect(relative).toBeLessThan(1e-3);
        // The golden's images are [N, H, W, 3].
        const pixels = expected.get(`${run.key}.images_u8`)!.permute([0, 3, 1, 2]).to("int32");
        expect(images!.to("int32").sub(pixels).abs().max().item()).toBeLessThanOrEqual(2);
        if (process.env.MEASURE)
          process.stderr.write(
            `${kind} ${run.key} ${relative} ${images!.to("int32").sub(pixels).abs().max().item()}\n`,
          );
      });
      for (const tensor of [latents, images!, ...expected.values()]) tensor.dispose();
      for (const model of [pipeline.parts.unet, pipeline.parts.vae, pipeline.parts.textEncoder])
        model[Symbol.dispose]();
    });
  }
});
