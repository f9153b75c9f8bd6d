// The rows of the table that need a feature network: which one is there, what it costs to be without, what takes its place.
import {
  type BootstrapOptions,
  clipImageFeatures,
  type FeatureNetwork,
  inceptionFeatures,
  Lpips,
  vgg16Features,
} from "../../metrics/index.ts";
import { hashJson } from "../hash.ts";
import type { ReportMetric, SkippedMetric } from "../report/index.ts";
import { coverageRows, distanceRows } from "./distribution-rows.ts";
import { chosenImages, diversityRow, featureDistances, lpipsDistances } from "./diversity.ts";
import type { EvaluationRequest } from "./evaluate-models.ts";
import type { FeatureTables } from "./feature-tables.ts";
import type { WorkContext } from "./models.ts";
import { isFound } from "./networks.ts";
import { clipRow } from "./prompt-rows.ts";

export interface Work extends WorkContext {
  readonly request: EvaluationRequest;
  readonly tables: FeatureTables;
  readonly options: BootstrapOptions;
}

/** CLIP-T. */
export async function clipRows({ request, tables, options }: Work): Promise<ReportMetric[]> {
  const { networks, models, prompts, device } = request;
  if (!isFound(networks.clip))
    return [
      skipped({ key: "clipT", label: "CLIP-T" }, "How well the images fit their prompts.", networks.clip),
    ];
  using network = clipImageFeatures(networks.clip.path, { key: networks.clip.hash, device });
  const images = await tables.all(network, models);
  using texts = network.textFeatures(prompts);
  return [
    clipRow(models, { images, texts, featureSpace: network.name }, { prompts: prompts.length, options }),
  ];
}

/** Why a row has no numbers. */
const skipped = (
  row: Pick<ReportMetric, "key" | "label">,
  what: string,
  why: SkippedMetric,
): ReportMetric => ({
  ...{ ...row, what, values: [] },
  skipped: { reason: why.reason, ...(why.command === undefined ? {} : { command: why.command }) },
});

const NO_REFERENCE: SkippedMetric = {
  reason:
    "There are no reference images to compare with; give a folder of them (data.validationPath, or --reference).",
};

const TOO_FEW: SkippedMetric = {
  reason: "A set of images holds fewer than three; a distance between so few says nothing.",
};

/** FID, KID, precision, recall, density and coverage. */
export async function distributionRows(
  work: Work,
): Promise<{ rows: ReportMetric[]; cautions: readonly string[] }> {
  const { request } = work;
  const { fallback } = request;
  if (!request.reference)
    return { rows: [withoutDistances(NO_REFERENCE), withoutCoverage(NO_REFERENCE)], cautions: [] };
  // Both may need the same one.
  let opened: FeatureNetwork | undefined;
  const instead = async () => (opened ??= await fallback?.());
  try {
    const parts = [await distances(work, instead), await coverage(work, instead)];
    return {
      rows: parts.flatMap(({ rows }) => rows),
      cautions: parts.flatMap(({ cautions = [] }) => cautions),
    };
  } finally {
    opened?.[Symbol.dispose]();
  }
}

type Instead = () => Promise<FeatureNetwork | undefined>;

interface Made {
  readonly rows: readonly ReportMetric[];
  readonly cautions?: readonly string[];
}

const withoutDistances = (why: SkippedMetric): ReportMetric =>
  skipped({ key: "fid", label: "FID" }, "Distance to the reference images.", why);

const withoutCoverage = (why: SkippedMetric): ReportMetric =>
  skipped({ key: "precision", label: "Precision and recall" }, "Likeness to the reference images.", why);

async function distances(work: Work, instead: Instead): Promise<Made> {
  const { networks, models, settings, device } = work.request;
  const { inception } = networks;
  using network = isFound(inception)
    ? inceptionFeatures(inception.path, { key: inception.hash, resize: settings.fid, device })
    : undefined;
  const missing = isFound(inception) ? [] : [withoutDistances(inception)];
  const space = network ?? (await instead());
  if (!space) return { rows: missing };
  const { real, own, fewest } = await look(work, space);
  if (fewest < 3) return { rows: [withoutDistances(TOO_FEW)] };
  const kind = network ? settings.fid : "features";
  const { rows, cautions } = await distanceRows(models, real, own, { ...described(work, space), kind });
  return { rows: [...missing, ...rows], cautions };
}

async function coverage(work: Work, instead: Instead): Promise<Made> {
  const { networks, models, settings, device } = work.request;
  const { vgg16 } = networks;
  const preprocessing = settings.fid === "reference" ? "reference" : "imagenet";
  using network = isFound(vgg16)
    ? vgg16Features(vgg16.path, { key: vgg16.hash, device, preprocessing })
    : undefined;
  const missing = isFound(vgg16) ? [] : [withoutCoverage(vgg16)];
  const space = network ?? (await instead());
  if (!space) return { rows: missing };
  const { real, own, fewest } = await look(work, space);
  if (fewest < 3) return { rows: [withoutCoverage(TOO_FEW)] };
  const neighbours = Math.min(settings.neighbours, fewest - 2);
  const caution = `Precision and recall take ${neighbours} neighbours, because a set has ${fewest} images only.`;
  const rows = await coverageRows(models, real, own, {
    ...{ ...described(work, space), neighbours },
    densityNeighbours: Math.min(DENSITY_NEIGHBOURS, fewest - 2),
    suffix: network ? "" : ":features",
  });
  return { rows: [...missing, ...rows], cautions: neighbours < settings.neighbours ? [caution] : [] };
}

/** k of density and coverage, as their paper has it (Naeem et al. 2020, arXiv 2002.09797). */
const DENSITY_NEIGHBOURS = 5;

/** Features of the reference images and of every model's. */
async function look({ request: { reference, models }, tables }: Work, network: FeatureNetwork) {
  const real = await tables.of(network, { label: "reference images", images: reference!.images });
  const own = await tables.all(network, models);
  return { real, own, fewest: Math.min(...[real, ...own].map(({ shape }) => shape[0]!)) };
}

const described = (
  { request: { prompts, reference }, options, signal, progress }: Work,
  { name }: FeatureNetwork,
) => ({
  ...{ prompts: prompts.length, reference: reference!.text, options, featureSpace: name },
  ...{ signal, progress },
});

/** LPIPS between the images of a prompt, or their distance in the feature space that is there. */
export async function diversityRows({
  request,
  tables,
  options,
  signal,
  progress,
}: Work): Promise<ReportMetric[]> {
  const { networks, models, prompts, settings, device, fallback } = request;
  const { vgg16, lpips } = networks;
  const chosen = models.map((model) => chosenImages(model, prompts.length, settings.lpipsImages));
  const counted = `${settings.lpipsImages} images per prompt`;
  if (isFound(vgg16) && isFound(lpips)) {
    const open = () => Lpips.load({ vggFile: vgg16.path, linFile: lpips.path, device });
    const hash = hashJson([vgg16.hash, lpips.hash, device.replace(/:\d+$/, "")]);
    const found = await lpipsDistances(open, models, chosen, {
      ...{ signal, progress, hash, folder: request.folder },
    });
    const featureSpace = `LPIPS with VGG-16, ${counted}`;
    return [
      diversityRow({ key: "lpipsDiversity", label: "Diversity (LPIPS)", featureSpace }, found, options),
    ];
  }
  const missing = [vgg16, lpips].filter((found) => !isFound(found)) as SkippedMetric[];
  const row = skipped(
    { key: "lpipsDiversity", label: "Diversity (LPIPS)" },
    "How different the images of one prompt are from each other.",
    {
      reason: missing.map(({ reason }) => reason).join(" "),
      // One command gets both.
      command:
        missing.length === 1
          ? missing[0]!.command!
          : missing[1]!.command!.replace("network lpips", "network vgg16 lpips"),
    },
  );
  if (!fallback) return [row];
  using network = await fallback();
  const features = await tables.all(network, models);
  const instead = {
    key: "lpipsDiversity:features",
    label: "Diversity",
    featureSpace: `${network.name}, ${counted}`,
  };
  return [row, diversityRow(instead, featureDistances(features, chosen), options)];
}
