// Stage "evaluation": proves in numbers what changed between base and guided model, and how the baselines compare. Here, and
// only here, the hidden attributes are looked at.
import { join } from "node:path";

import { firstCaptions } from "../../data/index.ts";
import { writeFileAtomic } from "../../torch/index.ts";
import { type ExperimentConfig, hiddenColumns } from "../config.ts";
import { autoencoderFeatures } from "../evaluation/autoencoder-features.ts";
import { classifierPlaces } from "../evaluation/classifier-places.ts";
import { classifierQuality } from "../evaluation/classifier-quality.ts";
import { evaluateModels } from "../evaluation/evaluate-models.ts";
import { fileImages, tensorImages } from "../evaluation/image-set.ts";
import type { JudgedModel } from "../evaluation/models.ts";
import { findNetworks, hashOfPlace, isFound } from "../evaluation/networks.ts";
import type {
  ClassifierEvaluation,
  GroupEvaluation,
  ModelEvaluation,
  ReportMetric,
} from "../report/index.ts";
import type { Stage, StageContext } from "../stage.ts";
import { evaluatedColumns, labelsHash, trainsClassifiers, validationInputs } from "./classifiers.ts";
import { type ComparedModel, comparedModels } from "./compared-models.ts";
import { dataNeeds, folderItems, trainFolder, validationFolder } from "./folders.ts";
import { evaluateGroups, readTrainingLabels } from "./group-labels.ts";
import { type GalleryCaption, groupGallery } from "./group-gallery.ts";
import { loadGroups } from "./groups.ts";
import { readItems } from "./items-file.ts";
import { openJudges, subjectsOfPrompts } from "./judges.ts";
import { readJsonIfThere } from "./materials.ts";
import { fidRow, imagePredictions, type ImagePredictions, modelEvaluation } from "./model-evaluation.ts";
import { loadSamples } from "./samples.ts";

/** A model with its numbers. */
export interface EvaluatedModel extends ComparedModel {
  readonly evaluation: ModelEvaluation;
  /** Predicted hidden value and its confidence for every sample; null without a classifier. */
  readonly predicted: ImagePredictions | null;
}

/** result.json of this stage; the report is made of it. */
export interface EvaluationResult {
  readonly base: ModelEvaluation;
  readonly guided: ModelEvaluation;
  /** All of them, base and guided first. */
  readonly models: readonly EvaluatedModel[];
  /** The table: every metric of every model, with comparisons to the base. */
  readonly metrics: readonly ReportMetric[];
  readonly warnings: readonly string[];
  readonly groups: GroupEvaluation;
  readonly classifiers: Record<string, ClassifierEvaluation>;
  /** The first hidden attribute, the headline. */
  readonly attribute: { name: string; values: readonly string[] } | null;
  /** The groups by caption, to look at. */
  readonly gallery: readonly GalleryCaption[];
  /** [prompt][value]: share among the training images with that caption; null for other prompts. */
  readonly trainingShares: readonly (readonly number[] | null)[];
  readonly fidFeatureSpace: string;
  readonly fidReference: string;
}

export const evaluationStage = (suffix: string, config: ExperimentConfig): Stage => ({
  name: `evaluation${suffix}`,
  isExact: true,
  needs: [
    ...dataNeeds(config),
    "latents",
    ...(trainsClassifiers(config) ? ["classifiers"] : []),
    `groups${suffix}`,
    ...comparedModels(config).map(({ stage }) => stage),
  ],
  inputs: async (own) => {
    const { bootstrap, fid, neighbours, lpipsImages, classifiers } = own.evaluation;
    const networks = await findNetworks(own.evaluation);
    const given = classifierPlaces(classifiers).map(
      async ({ column, path }) => [column, await hashOfPlace(path)] as const,
    );
    return {
      ...{ format: 2, columns: evaluatedColumns(own), bootstrap, fid, neighbours, lpipsImages },
      classifiers: Object.fromEntries(await Promise.all(given)),
      networks: Object.fromEntries(
        Object.entries(networks).map(([kind, found]) => [kind, isFound(found) ? found.hash : null]),
      ),
      // With classifiers of the run, their key stands for the validation images.
      ...(trainsClassifiers(own) ? {} : { validation: await validationInputs(own, evaluatedColumns(own)) }),
      ...(own.data.kind === "folder" && hiddenColumns(own).length > 0
        ? { labels: labelsHash(own.data.path!, hiddenColumns(own)) }
        : {}),
    };
  },
  async run(context) {
    const { dir, input } = context;
    const items = readItems(input("latents"));
    const set = { ...items, captionOf: firstCaptions(items) };
    const allLabels = readTrainingLabels(context, set);
    const [trainingLabels] = allLabels;
    const stored = loadGroups(input(`groups${suffix}`), set.ids);
    const groups = evaluateGroups(stored, allLabels);
    const evaluated = await evaluateSamples(context);
    const gallery = await groupGallery(context, set, stored, trainingLabels);
    const { hidden, prompts, models, ...numbers } = evaluated;
    const [first] = hidden;
    const result: EvaluationResult = {
      ...{ base: models[0]!.evaluation, guided: models[1]!.evaluation, models, groups, gallery },
      ...numbers,
      attribute: first
        ? { name: first.column, values: first.values }
        : trainingLabels
          ? { name: trainingLabels.name, values: trainingLabels.values }
          : null,
      trainingShares: prompts.map((prompt) => trainingLabels?.shares[set.captions.indexOf(prompt)] ?? null),
    };
    writeFileAtomic(join(dir, "result.json"), JSON.stringify(result, null, 2));
    return {
      ...Object.fromEntries(models.map(({ key, evaluation }) => [key, headline(evaluation)])),
      groups: { auc: groups.auc, found: groups.found },
    };
  },
});

const headline = ({ bias, attributes = {}, promptAccuracy, fid }: ModelEvaluation) => ({
  bias,
  ...Object.fromEntries(Object.entries(attributes).map(([name, own]) => [`bias of ${name}`, own.bias])),
  promptAccuracy,
  fid,
});

/** All metrics of all models. */
async function evaluateSamples(context: StageContext) {
  const { config, out, input, signal, progress } = context;
  const compared = comparedModels(config);
  using loaded = new DisposableList(compared.map(({ stage }) => loadSamples(input(stage))));
  const [{ prompts, perPrompt }] = loaded.items as [(typeof loaded.items)[number]];
  const promptOf = Int32Array.from({ length: prompts.length * perPrompt }, (_, i) =>
    Math.floor(i / perPrompt),
  );
  const models: JudgedModel[] = compared.map(({ key, label, description }, m) => {
    const { images, firstSeed, keys } = loaded.items[m]!;
    const pairs = Array.from(promptOf, (_, i) => String(firstSeed + i));
    return { key, label, description, images: tensorImages(images, keys), promptOf, pairs };
  });
  const reference = await referenceImages(context);
  using judges = await openJudges(context);
  const { hidden, subject, features } = judges;
  const ofPrompt = subject && subjectsOfPrompts(context, subject, prompts);
  const table = await evaluateModels(
    {
      ...{ models, prompts, reference, hidden, settings: config.evaluation },
      ...{ seed: config.seed, device: config.device, folder: featuresFolder(config, out) },
      subject: subject && ofPrompt && { judge: subject, ofPrompt },
      networks: await findNetworks(config.evaluation),
      fallback: async () =>
        // The classifier stays open for its other work.
        features ? { ...features, [Symbol.dispose]() {} } : await autoencoderFeatures(config),
    },
    { signal, progress },
  );
  const size = { prompts, imagesPerPrompt: perPrompt };
  const distance = fidRow(table.rows);
  return {
    hidden,
    prompts,
    models: compared.map((model, m) => ({
      ...model,
      evaluation: modelEvaluation(table, models, m, size),
      predicted: imagePredictions(table, m),
    })),
    metrics: table.rows,
    warnings: table.warnings,
    classifiers: Object.fromEntries(
      [...(subject ? [subject] : []), ...hidden].flatMap((judge) => {
        const quality = classifierQuality(judge);
        return quality ? [[judge.column, quality]] : [];
      }),
    ),
    fidFeatureSpace: distance?.featureSpace ?? "",
    fidReference: reference.text,
  };
}

/** Beside the encoded pictures: features outlive the stages too. */
const featuresFolder = ({ data }: ExperimentConfig, out: string): string =>
  join(data.cacheFolder ?? join(out, "cache"), "features");

/** Tensors that are released together. */
class DisposableList<T extends { readonly images: Disposable }> implements Disposable {
  readonly items: readonly T[];
  constructor(items: readonly T[]) {
    this.items = items;
  }
  [Symbol.dispose](): void {
    for (const { images } of this.items) images[Symbol.dispose]();
  }
}

/** What generated images should be like: the balanced ones, or those of the training where there are no others. */
async function referenceImages(context: StageContext) {
  const { config, out, signal, progress } = context;
  const validation = validationFolder(context);
  const items = folderItems(config, validation ?? trainFolder(context));
  const images = await fileImages(
    items.map(({ file }) => file),
    config.data.resolution,
    {
      ...{ signal, folder: featuresFolder(config, out) },
      onProgress: (done, total) =>
        progress({ task: "looking at reference images", done, total, unit: "images" }),
    },
  );
  return { images, text: `${items.length} ${validation ? "validation" : "training"} images` };
}

/** The result of a finished stage; undefined when there is none. What was not measured is `undefined` again, not JSON's null. */
export function readEvaluationResult(dir: string): EvaluationResult | undefined {
  const result = readJsonIfThere<EvaluationResult>(join(dir, "result.json"));
  if (!result) return undefined;
  const known = <T>(list: readonly (T | undefined | null)[]) => list.map((own) => own ?? undefined);
  const metrics = result.metrics.map(({ values, perPrompt, comparisons, ...row }) => ({
    ...{ ...row, values: known(values) },
    ...(perPrompt && { perPrompt: perPrompt.map(known) }),
    ...(comparisons && { comparisons: known(comparisons) }),
  }));
  return { ...result, metrics };
}
