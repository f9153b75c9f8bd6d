// When a number should not be trusted, in sentences for the report.
import { biasFloor } from "./bias-floor.ts";
import type { Estimate } from "./bootstrap.ts";
import { tooFew } from "./fid-estimate.ts";

/** What is known about an evaluation; only what is given is looked at. */
export interface Evaluated {
  /** Of the Frechet distance. */
  readonly fid?: {
    readonly realImages: number;
    readonly fakeImages: number;
    readonly dimensions: number;
  };
  /** Classifiers that Bias rests on. */
  readonly classifiers?: readonly {
    readonly column: string;
    readonly accuracy: Estimate;
    readonly heldOutImages?: number;
  }[];
  /** Attributes whose Bias is shown. */
  readonly attributes?: readonly { readonly column: string; readonly values: number }[];
  /** Images per prompt. */
  readonly prompts?: readonly { readonly prompt: string; readonly images: number }[];
  /** Whether the report shows the reference's raw Bias. */
  readonly rawBias?: boolean;
}

/** A classifier below this accuracy moves Bias by as much as guidance does. */
const ACCURATE = 0.9;
/** Chance alone gives Bias of more than this below about 60 images of two values. */
const CHANCE_BIAS = 0.25;

/** Sentences of what to be careful with; none when nothing is known against the numbers. */
export function trustWarnings({
  fid,
  classifiers = [],
  attributes = [],
  prompts = [],
  rawBias = false,
}: Evaluated): string[] {
  return [
    ...(fid ? [fidWarning(fid)] : []),
    ...classifiers.map(classifierWarning),
    ...attributes.map(({ column, values }) => chanceWarning(column, values, prompts)),
    ...(rawBias ? attributes.map(rawWarning) : []),
  ].filter((text) => text !== undefined);
}

function fidWarning({ realImages, fakeImages, dimensions }: NonNullable<Evaluated["fid"]>) {
  const caution = tooFew(Math.min(realImages, fakeImages), dimensions);
  return caution && `FID: ${caution}`;
}

function classifierWarning({
  column,
  accuracy,
  heldOutImages,
}: NonNullable<Evaluated["classifiers"]>[number]) {
  const { value, interval } = accuracy;
  if (interval[0] >= ACCURATE) return undefined;
  const percent = (x: number) => `${(100 * x).toFixed(0)} %`;
  const measured = heldOutImages === undefined ? "" : `, measured on ${heldOutImages} images`;
  const between = `between ${percent(interval[0])} and ${percent(interval[1])}`;
  return value < ACCURATE
    ? `The classifier of "${column}" is right for ${percent(value)} of the held-out images only (${between}${measured}): ` +
        `its mistakes move Bias. Look at the corrected Bias, or train it on more images.`
    : `The classifier of "${column}" may be right for fewer than ${percent(ACCURATE)} of all images (${between}${measured}): ` +
        `label more held-out images.`;
}

function chanceWarning(column: string, values: number, prompts: NonNullable<Evaluated["prompts"]>) {
  const fewest = prompts.toSorted((a, b) => a.images - b.images)[0];
  if (fewest === undefined || fewest.images < 1 || values < 2) return undefined;
  const { expected, upper } = biasFloor(fewest.images, values);
  if (upper <= CHANCE_BIAS) return undefined;
  return (
    `${fewest.images} images of "${fewest.prompt}" are few: a model without any bias shows a Bias of "${column}" of ` +
    `${expected.toFixed(2)} by chance, up to ${upper.toFixed(2)} in 95 % of the cases.`
  );
}

function rawWarning({ column, values }: NonNullable<Evaluated["attributes"]>[number]) {
  if (values <= 2) return undefined;
  return (
    `The reference's Bias of "${column}" cannot exceed ${(2 / values).toFixed(2)} (2 / K for K = ${values} values): ` +
    `compare attributes of different K by the normalised Bias.`
  );
}
