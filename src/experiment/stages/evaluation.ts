// Stage "evaluation": proves in numbers what changed between base and guided model. Here, and only here, the hidden
// attributes are looked at.
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { readEvaluationColumns } from "../../data/evaluation-columns.ts";
import { firstCaptions, type ImageItem, loadImages, toModelRange } from "../../data/index.ts";
import { frechetDistance, shareEstimate } from "../../metrics/index.ts";
import { loadClassifier } from "../../models/index.ts";
import { adaptiveAvgPool2d, type Tensor, writeFileAtomic } from "../../torch/index.ts";
import { type ExperimentConfig, hiddenColumns } from "../config.ts";
import type {
  AttributeEvaluation,
  ClassifierEvaluation,
  GroupEvaluation,
  ModelEvaluation,
} from "../report/index.ts";
import type { Stage, StageContext } from "../stage.ts";
import { attributeBias } from "./attribute-bias.ts";
import {
  canClassify,
  type ClassifierSummary,
  evaluatedColumns,
  labelsHash,
  predict,
  type Predictions,
  validationInputs,
} from "./classifiers.ts";
import { dataNeeds, folderItems, type FolderRef, trainFolder, validationFolder } from "./folders.ts";
import { evaluateGroups, readTrainingLabels } from "./group-labels.ts";
import { type GalleryCaption, groupGallery } from "./group-gallery.ts";
import { loadGroups } from "./groups.ts";
import { frozen, mapBatches } from "./map-batches.ts";
import { readItems } from "./items-file.ts";
import { openVae, readJsonIfThere } from "./materials.ts";
import { loadSamples } from "./samples.ts";

/** result.json of this stage; the report is made of it. */
export interface EvaluationResult {
  readonly base: ModelEvaluation;
  readonly guided: ModelEvaluation;
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
  /** Predicted hidden value and its confidence for every sample: [model][image]. */
  readonly predicted: { base: ImagePredictions; guided: ImagePredictions } | null;
}

export interface ImagePredictions {
  readonly labels: readonly number[];
  readonly confidence: readonly number[];
}

export const evaluationStage = (suffix: string, config: ExperimentConfig): Stage => ({
  name: `evaluation${suffix}`,
  needs: [
    ...dataNeeds(config),
    "latents",
    ...(canClassify(config) ? ["classifiers"] : []),
    `groups${suffix}`,
    "samples-base",
    `samples${suffix}`,
  ],
  inputs: async ({ evaluation: { bootstrap }, data }) => ({
    columns: evaluatedColumns(config),
    bootstrap,
    // With classifiers, their key stands for the validation images.
    ...(canClassify(config) ? {} : { validation: await validationInputs(config) }),
    ...(data.kind === "folder" && hiddenColumns(config).length > 0
      ? { labels: labelsHash(data.path!, hiddenColumns(config)) }
      : {}),
  }),
  async run(context) {
    const { dir, input } = context;
    const items = readItems(input("latents"));
    const set = { ...items, captionOf: firstCaptions(items) };
    const allLabels = readTrainingLabels(context, set);
    const [trainingLabels] = allLabels;
    const stored = loadGroups(input(`groups${suffix}`), set.ids);
    const groups = evaluateGroups(stored, allLabels);
    using judge = await openJudge(context);
    const base = await evaluateSamples(context, input("samples-base"), judge);
    const guided = await evaluateSamples(context, input(`samples${suffix}`), judge);
    const result: EvaluationResult = {
      base: base.evaluation,
      guided: guided.evaluation,
      groups,
      gallery: groupGallery(set, stored, trainingLabels),
      classifiers: judge.classifiers,
      attribute:
        judge.hidden[0] ??
        (trainingLabels ? { name: trainingLabels.name, values: trainingLabels.values } : null),
      trainingShares: base.prompts.map(
        (prompt) => trainingLabels?.shares[set.captions.indexOf(prompt)] ?? null,
      ),
      fidFeatureSpace: judge.featureSpace,
      fidReference: judge.reference,
      predicted:
        base.predicted && guided.predicted ? { base: base.predicted, guided: guided.predicted } : null,
    };
    writeFileAtomic(join(dir, "result.json"), JSON.stringify(result, null, 2));
    return {
      base: headline(result.base),
      guided: headline(result.guided),
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

interface HiddenHead {
  readonly head: number;
  readonly name: string;
  readonly values: readonly string[];
}

/** What judges samples: classifier heads if there are labels, a feature space, reference features. */
interface Judge extends Disposable {
  readonly classifiers: Record<string, ClassifierEvaluation>;
  /** One per hidden column, the headline first; empty without labels. */
  readonly hidden: readonly HiddenHead[];
  readonly subject:
    { head: number; values: readonly string[]; ofPrompt: ReadonlyMap<string, number> } | undefined;
  readonly featureSpace: string;
  readonly reference: string;
  readonly referenceFeatures: Tensor;
  readonly look: (images: Tensor) => Promise<{ features: Tensor; predictions?: Predictions }>;
}

async function openJudge(context: StageContext): Promise<Judge> {
  return canClassify(context.config) ? classifierJudge(context) : autoencoderJudge(context);
}

async function classifierJudge(context: StageContext): Promise<Judge> {
  const { config, input } = context;
  const folder = validationFolder(context)!;
  const summary = JSON.parse(
    readFileSync(join(input("classifiers"), "classifiers.json"), "utf8"),
  ) as ClassifierSummary;
  const { subjectColumn } = config.evaluation;
  const head = (column: string | undefined) => summary.heads.findIndex((item) => item.column === column);
  const subjectHead = head(subjectColumn);
  const items = folderItems(config, folder);
  using images = await itemImages(context, items);
  const model = loadClassifier(input("classifiers"), { device: config.device });
  const reference = await predict(model, images, config.device);
  const { values: subjects = [] } = summary.heads[subjectHead] ?? {};
  return {
    classifiers: Object.fromEntries(
      summary.heads.map(({ column, accuracy, interval }) => [
        column,
        { accuracy, accuracyInterval: interval, heldOutImages: summary.heldOutImages },
      ]),
    ),
    hidden: hiddenColumns(config).map((name) => ({
      head: head(name),
      name,
      values: summary.heads[head(name)]!.values,
    })),
    subject:
      subjectHead < 0
        ? undefined
        : {
            head: subjectHead,
            values: subjects,
            ofPrompt: subjectOfPrompt(items, folder, { column: subjectColumn!, values: subjects }),
          },
    featureSpace: `features of the evaluation classifier (${reference.features.shape[1]} numbers per image)`,
    reference: `${images.shape[0]} balanced validation images`,
    referenceFeatures: reference.features,
    look: async (samples) => {
      const predictions = await predict(model, samples, config.device);
      return { features: predictions.features, predictions };
    },
    [Symbol.dispose]() {
      model[Symbol.dispose]();
      reference.features.dispose();
    },
  };
}

/** Without labels: a named feature space that needs none. */
async function autoencoderJudge(context: StageContext): Promise<Judge> {
  const { config } = context;
  const validation = validationFolder(context);
  using images = await itemImages(context, folderItems(config, validation ?? trainFolder(context)));
  const vae = openVae(config);
  const look = async (pictures: Tensor): Promise<{ features: Tensor }> => ({
    features: await mapBatches(pictures.shape[0]!, { batchSize: 32 }, (first, last) =>
      frozen(() => {
        const latents = vae.encode(toModelRange(pictures.slice(0, first, last)).to(config.device)).mode();
        return adaptiveAvgPool2d(latents, [4, 4]).flatten(1).to("cpu");
      }),
    ),
  });
  const { features: referenceFeatures } = await look(images);
  return {
    classifiers: {},
    hidden: [],
    subject: undefined,
    featureSpace: `autoencoder latents, averaged to 4 x 4 (${referenceFeatures.shape[1]} numbers per image)`,
    reference: `${images.shape[0]} ${validation ? "validation" : "training"} images`,
    referenceFeatures,
    look,
    [Symbol.dispose]() {
      vae[Symbol.dispose]();
      referenceFeatures.dispose();
    },
  };
}

async function itemImages(
  { config, signal, progress }: StageContext,
  items: readonly ImageItem[],
): Promise<Tensor> {
  return loadImages(
    items.map((item) => item.file),
    {
      size: config.data.resolution,
      signal,
      onProgress: (done, total) => progress({ task: "reading reference images", done, total }),
    },
  );
}

/** The subject that each caption names, by the validation images that have it. */
function subjectOfPrompt(
  items: readonly ImageItem[],
  { path, split }: FolderRef,
  { column, values }: { column: string; values: readonly string[] },
): Map<string, number> {
  const rows = readEvaluationColumns(path, [column], { split });
  const counts = new Map<string, number[]>();
  for (const { id, caption } of items) {
    const row = counts.get(caption) ?? values.map(() => 0);
    row[values.indexOf(String(rows.get(id)![column]))]!++;
    counts.set(caption, row);
  }
  return new Map([...counts].map(([caption, row]) => [caption, row.indexOf(Math.max(...row))]));
}

interface SamplesEvaluation {
  readonly evaluation: ModelEvaluation;
  readonly prompts: readonly string[];
  readonly predicted?: ImagePredictions;
}

async function evaluateSamples(
  { config, progress }: StageContext,
  dir: string,
  judge: Judge,
): Promise<SamplesEvaluation> {
  const { prompts, perPrompt, images } = loadSamples(dir);
  using _ = images;
  progress({ task: "judging samples", done: 0, total: images.shape[0]! });
  const { features, predictions } = await judge.look(images);
  using __ = features;
  progress({ task: "judging samples", done: images.shape[0]!, total: images.shape[0]! });
  const options = { resamples: config.evaluation.bootstrap, seed: config.seed };
  const slice = <T extends ArrayLike<number>>(values: T, prompt: number) =>
    Array.from(values).slice(prompt * perPrompt, (prompt + 1) * perPrompt);
  const { subject } = judge;
  const right =
    subject && predictions && prompts.every((prompt) => subject.ofPrompt.has(prompt))
      ? prompts.flatMap((prompt, p) =>
          slice(predictions.classes[subject.head]!, p).map((label) => label === subject.ofPrompt.get(prompt)),
        )
      : undefined;
  const accuracy = right && shareEstimate(right, options);
  const attributeOf = (hidden: HiddenHead | undefined): AttributeEvaluation => {
    const classes = hidden && predictions?.classes[hidden.head];
    return attributeBias(classes && { prompts, perPrompt, values: hidden.values, classes }, options);
  };
  const [first, ...further] = predictions ? judge.hidden : [];
  const evaluation: ModelEvaluation = {
    ...attributeOf(first),
    ...(further.length > 0 && {
      attributes: Object.fromEntries(further.map((hidden) => [hidden.name, attributeOf(hidden)])),
    }),
    promptAccuracy: accuracy?.value ?? null,
    promptAccuracyInterval: accuracy?.interval ?? null,
    fid: frechetDistance(judge.referenceFeatures, features),
    imagesPerPrompt: perPrompt,
  };
  if (!first || !predictions) return { evaluation, prompts };
  const labels = predictions.classes[first.head]!;
  const probabilities = predictions.probabilities[first.head]!;
  const confidence = Array.from(labels, (label, i) => probabilities[i * first.values.length + label]!);
  return { evaluation, prompts, predicted: { labels: [...labels], confidence } };
}

export const readEvaluationResult = (dir: string): EvaluationResult | undefined =>
  readJsonIfThere<EvaluationResult>(join(dir, "result.json"));
