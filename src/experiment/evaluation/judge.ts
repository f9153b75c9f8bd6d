// Who tells an attribute of a picture: a head of the classifier that the run trained, or a classifier of its own. What they
// see is kept as rows of features, so that a picture is looked at once.
import { toModelRange } from "../../data/index.ts";
import { type Estimate, type FeatureNetwork, largestInRows } from "../../metrics/index.ts";
import type { ResnetClassifier } from "../../models/index.ts";
import { inferenceMode, keep, scope, type Tensor, tensor, upload } from "../../torch/index.ts";
import { type AttributeClassifier, openClassifier } from "../classifier/index.ts";
import { sha256 } from "../hash.ts";
import { frozen } from "../stages/map-batches.ts";

/** How good a classifier is on held-out pictures. */
export interface JudgeQuality {
  readonly accuracy: Estimate;
  readonly heldOutImages: number;
  /** [true][predicted], images. */
  readonly confusion?: readonly (readonly number[])[] | undefined;
  /** Averages over the values. */
  readonly precision?: number | undefined;
  readonly recall?: number | undefined;
  readonly f1?: number | undefined;
  readonly auc?: number | undefined;
}

export interface Predictions {
  /** Most likely value of each picture, [N]. */
  readonly classes: Int32Array;
  /** [N][values] row-major. */
  readonly probabilities: Float32Array;
}

export interface AttributeJudge {
  readonly column: string;
  readonly values: readonly string[];
  /** For people, such as "ResNet-18, 224 pixels". */
  readonly architecture: string;
  /** Undefined: nobody has measured it. */
  readonly quality: JudgeQuality | undefined;
  /** What its maker says of it, where there is no `quality`. */
  readonly reportedAccuracy?: number | undefined;
  /** What its predictions are read from. */
  readonly network: FeatureNetwork;
  /** From rows of the network's features, float32 [N, dimensions]. */
  predictions(features: Tensor): Predictions;
}

const predictionsOf = (probabilities: Float32Array, values: number): Predictions => ({
  classes: Int32Array.from(largestInRows(probabilities, values)),
  probabilities,
});

/** "cuda" for all of its devices: they give the same features. */
const kindOf = (device: string): string => device.replace(/:\d+$/, "");

/** The features of the run's own classifier, before its heads; `hash` is that of its weights. */
export const classifierFeatures = (
  model: ResnetClassifier,
  { hash, device }: { readonly hash: string; readonly device: string },
): FeatureNetwork => {
  const dimensions = model.config.stage_channels.at(-1)!;
  return {
    kind: "classifier",
    name: `features of the evaluation classifier (${dimensions} numbers per image)`,
    dimensions,
    key: sha256(`classifier features 1 ${hash} ${kindOf(device)}`),
    features: (images) => frozen(() => model.features(toModelRange(upload(images, device))).to("cpu")),
    [Symbol.dispose]() {
      model[Symbol.dispose]();
    },
  };
};

/** One head of the run's own classifier. */
export const headJudge = (
  model: ResnetClassifier,
  network: FeatureNetwork,
  head: { readonly index: number; readonly column: string; readonly values: readonly string[] },
  { quality, device }: { readonly quality: JudgeQuality; readonly device: string },
): AttributeJudge => ({
  ...{ column: head.column, values: head.values, quality, network },
  architecture: "small residual network, trained by this run",
  predictions: (features) =>
    predictionsOf(
      inferenceMode(() =>
        scope(() => {
          const logits = model.splitHeads(model.classify(features.to(device)))[head.index]!;
          return logits.softmax(1).toArray() as Float32Array;
        }),
      ),
      head.values.length,
    ),
});

/** A classifier of its own; `hash` is that of its files. Its features are its probabilities. Errors: those of `openClassifier`. */
export function placeJudge(
  place: { readonly path: string; readonly column: string; readonly values?: readonly string[] | undefined },
  { hash, device }: { readonly hash: string; readonly device: string },
): AttributeJudge {
  const { path, column, values: named } = place;
  const model: AttributeClassifier = openClassifier(path, {
    device,
    column,
    ...(named && { values: named }),
  });
  const { values, architecture, accuracy, heldOutImages, reported } = model;
  const network: FeatureNetwork = {
    kind: "classifier",
    name: `probabilities of the classifier of "${column}"`,
    dimensions: values.length,
    key: sha256(`classifier probabilities 1 ${hash} ${kindOf(device)}`),
    features: (images) =>
      keep(tensor(model.classify(images).probabilities, { shape: [images.shape[0]!, values.length] })),
    [Symbol.dispose]() {
      model[Symbol.dispose]();
    },
  };
  return {
    ...{ column, values, architecture, network, reportedAccuracy: reported?.accuracy },
    quality: accuracy && {
      ...{ accuracy, heldOutImages: heldOutImages ?? 0, confusion: model.confusion },
    },
    predictions: (features) => predictionsOf(features.toArray() as Float32Array, values.length),
  };
}
