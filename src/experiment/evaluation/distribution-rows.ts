// How near the generated images as a whole are to the reference images: FID, KID, precision, recall, density, coverage.
import { setImmediate as nextTurn } from "node:timers/promises";

import {
  type BootstrapOptions,
  frechetEstimate,
  kernelEstimate,
  pairedInfluence,
  pairedMeans,
  pairedReplicates,
  precisionRecallEstimate,
  trustWarnings,
} from "../../metrics/index.ts";
import type { Tensor } from "../../torch/index.ts";
import type { ReportMetric } from "../report/index.ts";
import { comparisonsWithBase, type JudgedModel, measured, strataOf, type WorkContext } from "./models.ts";

export interface DistributionOptions extends WorkContext {
  readonly prompts: number;
  /** Network and preprocessing, for people. */
  readonly featureSpace: string;
  /** What the reference images are, for people. */
  readonly reference: string;
  readonly options: BootstrapOptions;
}

/** FID by how pictures are resized, or the same distances in another feature space. */
export type DistanceKind = "clean" | "reference" | "features";

const NAMES = {
  clean: { suffix: "", fid: "FID (clean)", kid: "KID" },
  reference: { suffix: ":reference", fid: "FID (the reference's 255 pixels)", kid: "KID (255 pixels)" },
  features: { suffix: ":features", fid: "Fréchet distance", kid: "Kernel distance" },
} as const;

/** One model after the other, so that others get their turn: each takes seconds. Errors: the signal's reason. */
async function each<T>(
  models: readonly JudgedModel[],
  { task, signal, progress }: WorkContext & { readonly task: string },
  measure: (index: number) => T,
): Promise<T[]> {
  const all: T[] = [];
  for (const [m, { label }] of models.entries()) {
    signal?.throwIfAborted();
    progress?.({ task: `${task} of ${label}`, done: m, total: models.length, unit: "models" });
    await nextTurn();
    all.push(measure(m));
  }
  return all;
}

/** FID and KID; `features` of each model, [N, D]. Errors: the signal's reason. */
export async function distanceRows(
  models: readonly JudgedModel[],
  real: Tensor,
  features: readonly Tensor[],
  {
    prompts,
    featureSpace,
    reference,
    options,
    kind,
    ...context
  }: DistributionOptions & { readonly kind: DistanceKind },
): Promise<{ rows: ReportMetric[]; cautions: string[] }> {
  const strata = (m: number) => strataOf(models[m]!, prompts);
  const estimates = (task: string, estimate: typeof frechetEstimate | typeof kernelEstimate) =>
    each(models, { ...context, task }, (m) =>
      estimate(real, features[m]!, { ...options, strata: strata(m) }),
    );
  const frechet = await estimates("Fréchet distance", frechetEstimate);
  const kernel = await estimates("kernel distance", kernelEstimate);
  const compared = (all: typeof frechet) =>
    comparisonsWithBase(models, (base, model) =>
      pairedInfluence(all[base]!, all[model]!, { ...options, strata: strata(model) }),
    );
  const names = NAMES[kind];
  const common = { better: "lower" as const, featureSpace, reference };
  const rows: ReportMetric[] = [
    {
      ...{ ...common, key: `fid${names.suffix}`, label: names.fid },
      what: "Distance of the generated images as a whole to the reference images; it grows when fewer images are compared.",
      digits: 2,
      values: frechet.map(measured),
      comparisons: compared(frechet),
    },
    {
      ...{ ...common, key: `kid${names.suffix}`, label: names.kid },
      what: "A distance of the same kind whose expected value does not depend on the number of images.",
      digits: 4,
      values: kernel.map(measured),
      comparisons: compared(kernel),
    },
  ];
  // Few real images make a covariance singular as few generated ones do.
  const [realImages = 0, dimensions = 0] = real.shape;
  const fakeImages = Math.min(...features.map(({ shape }) => shape[0]!));
  return { rows, cautions: trustWarnings({ fid: { realImages, fakeImages, dimensions } }) };
}

/** Precision, recall, density and coverage; `suffix` tells their keys from those of another feature space. */
export async function coverageRows(
  models: readonly JudgedModel[],
  real: Tensor,
  features: readonly Tensor[],
  {
    prompts,
    featureSpace,
    reference,
    options,
    neighbours,
    densityNeighbours,
    suffix,
    ...context
  }: DistributionOptions & {
    readonly neighbours: number;
    readonly densityNeighbours: number;
    readonly suffix: string;
  },
): Promise<ReportMetric[]> {
  const strata = (m: number) => strataOf(models[m]!, prompts);
  const all = await each(models, { ...context, task: "precision and recall" }, (m) =>
    precisionRecallEstimate(real, features[m]!, {
      ...{ neighbours, densityNeighbours, ...options, strata: strata(m) },
    }),
  );
  const row = (
    key: "precision" | "recall" | "density" | "coverage",
    label: string,
    what: string,
  ): ReportMetric => ({
    ...{ key: `${key}${suffix}`, label, what, better: "higher", digits: 3, featureSpace, reference },
    values: all.map((own) => measured(own[key])),
    comparisons: comparisonsWithBase(models, (base, model) =>
      key === "recall" || key === "coverage"
        ? pairedReplicates(all[base]![key], all[model]![key], options)
        : pairedMeans(all[base]!.perImage[key], all[model]!.perImage[key], {
            ...options,
            strata: strata(model),
          }),
    ),
  });
  return [
    row("precision", "Precision", "Share of the generated images that look like some reference image."),
    row("recall", "Recall", "Share of the reference images that the model comes near to."),
    row(
      "density",
      "Density",
      "How many reference images each generated one is near to, on average; 1 is what real images reach.",
    ),
    row(
      "coverage",
      "Coverage",
      "Share of the reference images with a generated one among their nearest neighbours.",
    ),
  ];
}
