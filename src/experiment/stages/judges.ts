// The classifiers that an experiment's evaluation goes by: those it was given, and the heads of the one it has trained.
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { readEvaluationColumns } from "../../data/evaluation-columns.ts";
import type { FeatureNetwork } from "../../metrics/index.ts";
import { loadClassifier } from "../../models/index.ts";
import { hashFile } from "../hash.ts";
import { type AttributeJudge, classifierFeatures, headJudge, placeJudge } from "../evaluation/judge.ts";
import { classifierPlaces } from "../evaluation/classifier-places.ts";
import { hashOfPlace } from "../evaluation/networks.ts";
import type { StageContext } from "../stage.ts";
import { type ClassifierSummary, evaluatedColumns, trainsClassifiers } from "./classifiers.ts";
import { folderItems, type FolderRef, validationFolder } from "./folders.ts";

export interface Judges extends Disposable {
  /** Of the attributes that no prompt names, the headline first. */
  readonly hidden: readonly AttributeJudge[];
  readonly subject: AttributeJudge | undefined;
  /** Features of the run's own classifier: a feature space where no published network is there. */
  readonly features: FeatureNetwork | undefined;
}

/** Errors: those of opening classifiers. */
export async function openJudges(context: StageContext): Promise<Judges> {
  const { config } = context;
  const { device } = config;
  const own = trainsClassifiers(config) ? await ownHeads(context) : undefined;
  const opened: AttributeJudge[] = [];
  const release = (): void => {
    for (const { network } of opened) network[Symbol.dispose]();
    own?.features[Symbol.dispose]();
  };
  try {
    for (const place of classifierPlaces(config.evaluation.classifiers))
      opened.push(placeJudge(place, { hash: await hashOfPlace(place.path), device }));
    const all = [...opened, ...(own?.judges ?? [])];
    const columns = [...new Set([...evaluatedColumns(config), ...opened.map(({ column }) => column)])];
    const judges = columns.flatMap((name) => all.find(({ column }) => column === name) ?? []);
    const { subjectColumn } = config.evaluation;
    return {
      hidden: judges.filter(({ column }) => column !== subjectColumn),
      subject: judges.find(({ column }) => column === subjectColumn),
      features: own?.features,
      [Symbol.dispose]: release,
    };
  } catch (error) {
    release();
    throw error;
  }
}

async function ownHeads({ config, input }: StageContext) {
  const dir = input("classifiers");
  const summary = JSON.parse(readFileSync(join(dir, "classifiers.json"), "utf8")) as ClassifierSummary;
  const { device } = config;
  const model = loadClassifier(dir, { device });
  const hash = await hashFile(join(dir, "model.safetensors"));
  const features = classifierFeatures(model, { hash, device });
  const judges = summary.heads.map(({ column, values, accuracy, interval, ...rest }, index) => {
    const { heldOutImages } = summary;
    const quality = { accuracy: { value: accuracy, interval }, heldOutImages, ...rest };
    return headJudge(model, features, { index, column, values }, { quality, device });
  });
  return { features, judges };
}

/**
 * Which of the judge's values each prompt names: the one that most validation images with that caption have. Undefined
 * without validation images, or when some prompt is none of their captions.
 */
export function subjectsOfPrompts(
  context: StageContext,
  { column, values }: AttributeJudge,
  prompts: readonly string[],
): number[] | undefined {
  const folder = validationFolder(context);
  if (!folder) return undefined;
  const ofCaption = subjectOfCaption(context, folder, { column, values });
  const found = prompts.map((prompt) => ofCaption.get(prompt));
  return found.every((value) => value !== undefined) ? found : undefined;
}

function subjectOfCaption(
  { config }: StageContext,
  folder: FolderRef,
  { column, values }: Pick<AttributeJudge, "column" | "values">,
): Map<string, number> {
  const rows = readEvaluationColumns(folder.path, [column], { split: folder.split });
  const counts = new Map<string, number[]>();
  for (const { id, caption } of folderItems(config, folder)) {
    const value = values.indexOf(String(rows.get(id)![column]));
    if (value < 0) continue;
    const row = counts.get(caption) ?? values.map(() => 0);
    row[value]!++;
    counts.set(caption, row);
  }
  return new Map([...counts].map(([caption, row]) => [caption, row.indexOf(Math.max(...row))]));
}
