// Sampling for callers that must not load the engine at start.
import type { SampleRequest } from "./sampling/request.ts";
import type { SampleOptions, SampleResult } from "./sampling/sample-images.ts";

/** `sampleImages` of sampling/sample-images.ts, loaded when it is called. */
export async function sampleImages(request: SampleRequest, options: SampleOptions): Promise<SampleResult> {
  const { sampleImages: run } = await import("./sampling/sample-images.ts");
  return await run(request, options);
}
