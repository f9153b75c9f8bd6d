// Finished images of several models in one table, for the command and for programs; the engine is loaded by the call.
import type { ComparisonContext, ComparisonRequest } from "./evaluation/compare-samples.ts";
import type { MetricTableJson } from "./report/index.ts";

export type { ComparisonContext, ComparisonRequest } from "./evaluation/compare-samples.ts";

/** Measures every model and writes the report into `request.out`. Errors: those of evaluation/compare-samples.ts. */
export async function compareSamples(
  request: ComparisonRequest,
  context: ComparisonContext = {},
): Promise<MetricTableJson> {
  const { compareSamples: compare } = await import("./evaluation/compare-samples.ts");
  return compare(request, context);
}
