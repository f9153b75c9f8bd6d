// Classifiers for callers that must not load the engine at start.
import type { AttributeClassifier, OpenClassifierOptions } from "./open-classifier.ts";
import type { TrainClassifierRequest } from "./request.ts";
import type { TrainClassifierOptions, TrainClassifierResult } from "./train-classifier.ts";

/** `trainClassifier` of train-classifier.ts, loaded when it is called. */
export async function trainClassifier(
  request: TrainClassifierRequest,
  options: TrainClassifierOptions = {},
): Promise<TrainClassifierResult> {
  const { trainClassifier: run } = await import("./train-classifier.ts");
  return await run(request, options);
}

/** `openClassifier` of open-classifier.ts, loaded when it is called. */
export async function openClassifier(
  place: string,
  options: OpenClassifierOptions,
): Promise<AttributeClassifier> {
  const { openClassifier: open } = await import("./open-classifier.ts");
  return open(place, options);
}
