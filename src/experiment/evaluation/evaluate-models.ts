// Every metric of every model: images through the networks that are there, once; rows of the table with intervals and
// comparisons; and for what is missing the reason, the command that gets it, and a stated feature space in its place.
import { type BootstrapOptions, type FeatureNetwork, trustWarnings } from "../../metrics/index.ts";
import type { ExperimentConfig } from "../config-schema.ts";
import type { ReportMetric } from "../report/index.ts";
import { biasRows, type JudgedAttribute } from "./bias-rows.ts";
import { FeatureTables } from "./feature-tables.ts";
import type { ImageSet } from "./image-set.ts";
import type { AttributeJudge } from "./judge.ts";
import { arePaired, baseIndex, type JudgedModel, type WorkContext } from "./models.ts";
import { clipRows, distributionRows, diversityRows } from "./network-rows.ts";
import type { FoundNetworks } from "./networks.ts";
import { promptAccuracyRow } from "./prompt-rows.ts";

export interface EvaluationRequest {
  readonly models: readonly JudgedModel[];
  readonly prompts: readonly string[];
  /** What the generated images should be like, and what that is, for people. */
  readonly reference: { readonly images: ImageSet; readonly text: string } | undefined;
  /** Of the attributes that no prompt names, the headline first. */
  readonly hidden: readonly AttributeJudge[];
  /** Of what prompts name, and its value for each prompt; undefined where no value is known for all of them. */
  readonly subject: { readonly judge: AttributeJudge; readonly ofPrompt: readonly number[] } | undefined;
  readonly networks: FoundNetworks;
  /** A feature space in the place of missing networks, opened when it is needed; undefined: there is none. */
  readonly fallback: (() => Promise<FeatureNetwork>) | undefined;
  readonly settings: Pick<ExperimentConfig["evaluation"], "bootstrap" | "fid" | "neighbours" | "lpipsImages">;
  readonly seed: number;
  readonly device: string;
  /** Where features are kept. */
  readonly folder: string;
}

export interface EvaluationTable {
  readonly rows: readonly ReportMetric[];
  /** As `hidden`. */
  readonly attributes: readonly JudgedAttribute[];
  readonly warnings: readonly string[];
}

/** Errors: those of opening networks and reading images; the signal's reason, with all finished features kept. */
export async function evaluateModels(
  request: EvaluationRequest,
  { signal, progress }: WorkContext = {},
): Promise<EvaluationTable> {
  const { models, prompts, hidden, subject, folder, settings, seed } = request;
  const options: BootstrapOptions = { resamples: settings.bootstrap, seed };
  const common = { prompts: prompts.length, options };
  using tables = new FeatureTables({ folder, signal, progress });
  const judged = async (judge: AttributeJudge): Promise<JudgedAttribute> => {
    const features = await tables.all(judge.network, models);
    return { judge, predictions: features.map((own) => judge.predictions(own)) };
  };
  const attributes: JudgedAttribute[] = [];
  for (const judge of hidden) attributes.push(await judged(judge));
  const biases = attributes.map((attribute, i) => biasRows(attribute, models, { ...common, further: i > 0 }));
  const rows: ReportMetric[] = biases.flatMap((own) => own.rows);
  if (subject) {
    const { predictions } = await judged(subject.judge);
    const hits = predictions.map(({ classes }, m) =>
      Float64Array.from(classes, (label, i) => +(label === subject.ofPrompt[models[m]!.promptOf[i]!])),
    );
    rows.push(promptAccuracyRow(models, hits, common));
  }
  const work = { request, tables, options, signal, progress };
  const distribution = await distributionRows(work);
  rows.push(...(await clipRows(work)), ...distribution.rows, ...(await diversityRows(work)));
  const fewest = (p: number) =>
    Math.min(...models.map(({ promptOf }) => promptOf.reduce((sum, own) => sum + +(own === p), 0)));
  const warnings = trustWarnings({
    classifiers: [...hidden, ...(subject ? [subject.judge] : [])].flatMap(({ column, quality }) =>
      quality ? [{ column, accuracy: quality.accuracy, heldOutImages: quality.heldOutImages }] : [],
    ),
    attributes: hidden.map(({ column, values }) => ({ column, values: values.length })),
    prompts: prompts.map((prompt, p) => ({ prompt, images: fewest(p) })),
    rawBias: true,
  });
  const unmeasured = [...hidden, ...(subject ? [subject.judge] : [])].filter(({ quality }) => !quality);
  return {
    rows,
    attributes,
    warnings: [
      ...warnings,
      ...unmeasured.map(({ column, reportedAccuracy }) =>
        reportedAccuracy === undefined
          ? `Nobody has measured how often the classifier of "${column}" is right; its Bias is only as good as it is.`
          : `The classifier of "${column}" came with an accuracy of ${(100 * reportedAccuracy).toFixed(1)} %, but not with what it mistakes for what: its Bias cannot be corrected.`,
      ),
      ...unpaired(models),
      ...biases.flatMap(({ cautions }) => cautions),
      ...distribution.cautions,
    ],
  };
}

/** Why some models are not compared with the base. */
function unpaired(models: readonly JudgedModel[]): string[] {
  const base = models[baseIndex(models)]!;
  const others = models.filter((model) => !arePaired(base, model)).map(({ label }) => label);
  if (others.length === 0) return [];
  return [
    `No differences to ${base.label} are tested for ${others.join(", ")}: the images do not come from the same seeds.`,
  ];
}
