// Whole pipelines: same folders, prompts and seeds as diffusers. Goldens: pipeline-{sd1,sd2}. As test/parity/pipelines.test.ts.
import { loadPipeline } from "../../../src/pipelines/index.ts";
import type { SchedulerName } from "../../../src/schedulers/index.ts";
import { scope } from "../../../src/torch/index.ts";
import { golden } from "../../../test/golden-dir.ts";
import { type PipelineRun, pipelineRuns } from "../../../test/pipeline-runs.ts";
import { type Checks, Fixture, relativeError } from "./checks.ts";
import { LIMITS } from "./tolerances.ts";

/** Latents and 8-bit images of every run of one golden folder. */
export async function checkPipelines(checks: Checks, kind: "sd1" | "sd2"): Promise<void> {
  using fixture = new Fixture(`pipeline-${kind}.safetensors`);
  for (const run of pipelineRuns(kind)) await checkRun(checks, { kind, run, fixture });
}

async function checkRun(
  checks: Checks,
  { kind, run, fixture }: { kind: string; run: PipelineRun; fixture: Fixture },
): Promise<void> {
  const { device } = checks;
  const limits = LIMITS[checks.precision];
  const pipeline = loadPipeline(golden(`tiny-${kind}`), {
    scheduler: run.scheduler as SchedulerName,
    device,
  });
  const { unet, vae, textEncoder } = pipeline.parts;
  try {
    const { latents, images } = await pipeline.generate({
      ...{ prompts: run.prompts, seeds: run.seeds, steps: run.steps, guidanceScale: run.guidance_scale },
    });
    scope(() => {
      const error = relativeError(latents, fixture.get(`${run.key}.latents`));
      checks.within(`pipeline-${kind}: latents`, run.key, error, limits.latents);
      // The golden's images are [N, H, W, 3].
      const pixels = fixture.get(`${run.key}.images_u8`).permute([0, 3, 1, 2]).to("int32");
      const levels = images!.to("int32").sub(pixels).abs().max().item();
      checks.within(`pipeline-${kind}: 8-bit images (levels)`, run.key, levels, limits.levels);
    });
    latents.dispose();
    images?.dispose();
  } finally {
    for (const model of [unet, vae, textEncoder]) model[Symbol.dispose]();
  }
}
