// What the words of the report mean, for somebody who has not read the paper. Only words that the report uses.
import { metricRows } from "./metric-rows.ts";
import type { ReportData } from "./report-data.ts";

/** A word and its meaning. */
export interface Term {
  readonly term: string;
  readonly meaning: string;
}

/** By the first part of a metric's key. */
const METRICS: Readonly<Record<string, Term>> = {
  bias: {
    term: "Bias",
    meaning:
      "How unevenly the values of an attribute are generated for one prompt: the mean difference between the shares of any two values, scaled to 0..1 (for two values, the difference of their shares). The overall number is the mean over the prompts.",
  },
  biasRaw: {
    term: "Raw bias",
    meaning:
      "The same mean difference without the scaling, as published results give it. It cannot exceed 2 divided by the number of values, so raw numbers of attributes with different numbers of values cannot be compared.",
  },
  biasCorrected: {
    term: "Corrected bias",
    meaning:
      "Bias after allowing for the classifier's mistakes: from how often it took one value for another on held-out images, the shares are worked out that would most likely have been counted as these were.",
  },
  promptAccuracy: {
    term: "Prompt accuracy",
    meaning:
      "Share of generated images in which a classifier recognises what the prompt asked for. Removing a bias must not lower it.",
  },
  clipT: {
    term: "CLIP-T",
    meaning:
      "How well images fit their prompt in the eyes of CLIP, a network that was trained on pictures with their captions: the mean cosine between image and text, higher is closer. Good for comparing models on the same prompts; the number alone says little.",
  },
  fid: {
    term: "FID",
    meaning:
      "Fr\u00e9chet distance between the features of generated and real images: lower means more alike, in quality and in variety together. Comparable only within one feature space, with the same resizing and about the same number of images; with few images it comes out too high.",
  },
  kid: {
    term: "KID",
    meaning:
      "Kernel distance between the features of generated and real images: asks the same as FID, but does not come out too high when there are few images.",
  },
  precision: {
    term: "Precision (of images)",
    meaning:
      "Share of generated images that lie among the real ones, that is, look realistic. Says nothing about variety.",
  },
  recall: {
    term: "Recall (of images)",
    meaning:
      "Share of real images that lie among the generated ones, that is, whose like the model can draw. Falls when a model always draws the same.",
  },
  density: {
    term: "Density",
    meaning:
      "Like precision, but counts how many real neighbourhoods each generated image falls into, so that one odd real image cannot decide. May exceed 1.",
  },
  coverage: {
    term: "Coverage",
    meaning:
      "Share of real images that have at least one generated image in their neighbourhood: like recall, but sturdier.",
  },
  lpipsDiversity: {
    term: "LPIPS diversity",
    meaning:
      "How different two images of the same prompt look on average, to a network that was tuned to people's judgement of similarity. 0 means that all are alike; higher is more varied, also through noise and faults.",
  },
};

/** The words that the report of these data uses. */
export function glossary(data: ReportData): Term[] {
  const rows = metricRows(data);
  const metrics = [...new Set(rows.map(({ key }) => key.split(":")[0]!))].map((key) => {
    const row = rows.find((entry) => entry.key.split(":")[0] === key)!;
    return METRICS[key] ?? { term: row.label, meaning: row.what };
  });
  const counted: [keyof typeof METRICS, boolean][] = [
    ["biasRaw", data.models.some((model) => model.rawBias)],
    ["biasCorrected", data.models.some((model) => model.correctedBias)],
  ];
  const further = counted.flatMap(([key, used]) => (used ? [METRICS[key]!] : []));
  const terms = [...metrics, ...further, ...ways(data), ...groupWords(data)];
  return terms.filter(({ term }, i) => terms.findIndex((other) => other.term === term) === i);
}

/** Words about uncertainty and about models. */
function ways(data: ReportData): Term[] {
  const rows = metricRows(data);
  const isCompared = rows.some(({ comparisons }) => comparisons?.some((comparison) => comparison));
  return when([
    [
      rows.some(({ values }) => values.some((value) => value?.interval)),
      "95 % interval",
      "The range of the number when the generated images are redrawn at random from themselves some thousand times, without the lowest and highest 2.5 %. It covers the chance of sampling, not that of training.",
    ],
    [
      isCompared,
      "Beyond chance",
      "The difference to the base is larger than 95 of 100 that chance alone would make (p below 0.05). Where images of both models start from the same noise, they are compared pair by pair.",
    ],
    [
      isCompared,
      "p-value",
      "Chance of a difference at least this large if both models were alike. Small means that chance is a poor explanation; it does not say how large or important the difference is.",
    ],
    [
      data.biasFloor !== undefined,
      "No bias, by chance",
      "The bias that this many images would show on average if every value were equally likely: coins do not fall heads exactly half of the time either.",
    ],
    [
      data.models.some(({ key }) => key === "base"),
      "Base model",
      "The diffusion model trained on these images as they are.",
    ],
    [
      data.models.some(({ key }) => key === "guided"),
      "Guided model",
      "The base model plus the guidance module, which was trained to serve all groups alike.",
    ],
    [
      data.classifiers.some(({ confusion }) => confusion),
      "Confusion matrix",
      "A table of which true value a classifier read as which, on images whose true value is known.",
    ],
    [
      data.classifiers.some(({ metrics }) => metrics?.f1 !== undefined),
      "F1",
      "The harmonic mean of precision (of the images read as a value, how many have it) and recall (of the images that have it, how many were read so).",
    ],
  ]);
}

/** Words about groups and losses. */
function groupWords(data: ReportData): Term[] {
  const { groups, profile } = data;
  const all = [groups?.overall ?? [], ...(groups?.captions.map((caption) => caption.groups) ?? [])].flat();
  return when([
    [
      groups !== undefined,
      "Group",
      data.groupsFromLabels
        ? "Training images with the same caption and the same true label."
        : "Training images with the same caption whose losses under the base model are alike. Found without labels.",
    ],
    [
      all.some(({ differences }) => differences?.length),
      "Lift",
      "How many times as frequent something is in a group as in all groups together: 1 is as frequent, 2 twice as frequent.",
    ],
    [
      profile !== undefined && profile.series.length > 0,
      "Bimodality coefficient",
      "(skewness\u00b2 + 1) / kurtosis of the losses. The flat distribution has 5/9; two separate peaks lie above it.",
    ],
    [
      groups?.agreement?.auc !== undefined,
      "AUC",
      "Probability that a rare image has a higher group score than a usual one. Measured after the fact.",
    ],
    [
      profile !== undefined,
      "Timestep",
      "How much noise an image carries during training: 0 almost none, the highest almost only noise.",
    ],
  ]);
}

const when = (entries: readonly [used: boolean, term: string, meaning: string][]): Term[] =>
  entries.flatMap(([used, term, meaning]) => (used ? [{ term, meaning }] : []));
