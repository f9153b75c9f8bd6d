// Made-up report data with everything in it: any number of models, prompts and attribute values, every metric, some of
// them skipped. No number here was measured.
import type {
  GroupDifference,
  Measured,
  ReportComparison,
  ReportData,
  ReportImage,
  ReportMetric,
  ReportModel,
} from "../src/experiment/report/index.ts";
import { squarePng } from "./report-fixture.ts";

/** How much there is of everything. */
export interface RichOptions {
  readonly models?: number;
  readonly prompts?: number;
  readonly values?: number;
  /** Pictures per grid. */
  readonly images?: number;
  /** Picture of a subject (prompt) with a value, from a seed. */
  readonly paint?: (prompt: number, value: number, seed: number) => Uint8Array;
}

const PROMPTS = [
  "a photo of a doctor",
  "a photo of a nurse",
  "صورة طبيب في المستشفى",
  `a <b>bold</b> & "quoted" | piped \`prompt\``,
  "a very long prompt that goes on and on, with lenses, lighting and a mood, as people write them: a candid portrait of a firefighter after a long shift, golden hour, shallow depth of field, 85 mm, film grain, award winning, highly detailed, sharp focus, soft rim light",
];
const VALUES = ["woman", "man", "Black", "East Asian", "Indian", "Latino", "Middle Eastern", "White"];
const MODELS: readonly (readonly [key: string, label: string, description: string])[] = [
  ["base", "Base model", "The model fine-tuned on the data as it is."],
  ["guided", "Guided model", "The same base with guidance trained on groups inferred without labels."],
  [
    "oracle",
    "Guided, true labels",
    "The same guidance, trained on the true labels: the best that can be hoped for.",
  ],
  ["reference", "Guided, reference's groups", "Guidance trained on groups from the reference's own signal."],
  ["prompt", "Base, “diverse” prompt", "The base, asked to please generate diverse outputs."],
  ["reweighted", "Re-weighted data", "Fine-tuned with rare images drawn more often, no guidance."],
  ["distilled", "Distilled", "A further model."],
];

/** Report data of the given extent; the pictures are squares unless a painter is given. */
export function richReport(options: RichOptions = {}): ReportData {
  const { models: modelCount = 6, prompts: promptCount = 2, values: valueCount = 2, images = 16 } = options;
  const paint =
    options.paint ??
    ((prompt, value, seed) => squarePng([40 + 37 * (prompt % 6), 90 + 20 * value, 60 + 11 * (seed % 9)]));
  const values = VALUES.slice(
    valueCount > 2 ? VALUES.length - valueCount : 0,
    valueCount > 2 ? undefined : 2,
  );
  const prompts = Array.from({ length: promptCount }, (_, p) => PROMPTS[p] ?? `a photo of person ${p + 1}`);
  const models = MODELS.slice(0, modelCount).map((model, m) =>
    reportModel(model, m, prompts.length, valueCount),
  );
  const row = (prompt: number, rare: number, count: number): ReportImage[] =>
    Array.from({ length: count }, (_, i) => {
      const value = ((i * 7 + 3) % count) / count < rare ? 1 + (i % (valueCount - 1)) : 0;
      const alt = `${prompts[prompt]}, picture ${i + 1}, ${values[value]}`;
      return { bytes: paint(prompt, value, i), alt, tag: values[value] };
    });
  return {
    title: "People at work",
    createdAt: "2026-11-24T02:41:00Z",
    dataset: {
      name: "the made-up portraits",
      trainingImages: 8000,
      description: "Portraits of people at work; captions name the profession and nothing else.",
    },
    attribute: { name: "gender", values },
    prompts: prompts.map((prompt) => ({
      prompt,
      trainingShares: values.map((_, v) => (v === 0 ? 0.8 : 0.2 / (valueCount - 1))),
    })),
    outcome: "groups-found",
    models,
    metrics: metrics(models, prompts.length),
    biasFloor: 0.035,
    imagesPerPrompt: 512,
    samples: prompts.map((prompt, p) => ({
      prompt,
      grids: models.map(({ key, label }, m) => ({
        label,
        model: key,
        images: row(p, m === 0 ? 0.05 : 0.5, images),
      })),
    })),
    curves: [
      { title: "Base model: fine-tuning", model: "base", ...curve(2000, 0.9, 0.11) },
      { title: "Guidance: objective over the groups", model: "guided", ...curve(600, 0.22, 0.16) },
    ],
    profile: {
      timesteps: [100, 250, 400, 550, 700, 800, 870, 930, 970, 985],
      series: [
        { label: "all captions", coefficients: [0.41, 0.42, 0.4, 0.44, 0.52, 0.67, 0.82, 0.93, 0.97, 0.96] },
      ],
      meanLosses: prompts.slice(0, 2).map((caption, p) => ({
        caption,
        groups: [0, 1].map((g) => ({
          label: g === 0 ? "Usual group" : "Neglected group",
          losses: [0.21, 0.13, 0.09, 0.07, 0.05, 0.04, 0.032, 0.026, 0.021, 0.02].map(
            (loss, t) => loss * (1 + g * 0.05 * t) + 0.01 * p,
          ),
        })),
      })),
    },
    groups: {
      method: "Signal: losses at ten shared timesteps and noises. Solver: two-component mixture per caption.",
      overall: [
        {
          label: "Usual group",
          size: 6404,
          images: row(0, 0, 12),
          differences: differences(values[0]!, 1.22),
        },
        {
          label: "Neglected group",
          size: 1596,
          images: row(0, 1, 12),
          differences: differences(values[1]!, 4.7),
        },
      ],
      captions: prompts.slice(0, 8).map((caption, p) => ({
        caption,
        groups: [
          {
            label: "Usual group",
            size: 3201,
            images: row(p, 0, 12),
            shares: values.map((_, v) => (v === 0 ? 0.97 : 0.03 / (valueCount - 1))),
            differences: [],
          },
          {
            label: "Neglected group",
            size: 799,
            images: row(p, 1, 12),
            shares: values.map((_, v) => (v === 0 ? 0.05 : 0.95 / (valueCount - 1))),
            differences: differences(values[1]!, 4.7),
          },
        ],
      })),
      agreement: { auc: 0.987, precision: 0.95, recall: 0.93, purity: 0.98 },
    },
    classifiers: [
      {
        name: "gender",
        architecture: "ResNet-18, 224 pixels",
        accuracy: { value: 0.964, interval: [0.955, 0.972] },
        heldOutImages: 2000,
        confusion: {
          values,
          counts: values.map((_, t) =>
            values.map((_, v) =>
              t === v ? Math.round(1928 / valueCount) : Math.round(72 / valueCount / (valueCount - 1)),
            ),
          ),
        },
        metrics: { precision: 0.9641, recall: 0.9638, f1: 0.9639, auc: 0.991 },
      },
      { name: "profession", accuracy: { value: 0.991, interval: [0.986, 0.995] }, heldOutImages: 2000 },
    ],
    stages: [
      { stage: "data set", seconds: 21.4, peakBytes: 812_000_000 },
      {
        stage: "base",
        seconds: 3171.2,
        reused: true,
        peakBytes: 3_212_000_000,
        devicePeakBytes: 21_300_000_000,
      },
      { stage: "groups", seconds: 612.7, peakBytes: 1_912_000_000, devicePeakBytes: 9_100_000_000 },
      { stage: "evaluation", seconds: 88.25, peakBytes: 1_540_000_000 },
    ],
    totalSeconds: 722.35,
    settingsYaml: "seed: 0\ndata:\n  kind: folder\n  path: portraits\nevaluation:\n  bootstrap: 2000\n",
    versions: { invdiff: "0.1.0", libtorch: "2.13.0+cpu", node: "20.20.2", platform: "linux x64" },
    reproduce: ["invdiff quickstart --out runs/people --seed 0"],
    warnings: [
      "FID rests on 1,024 generated images in 2,048 dimensions: fewer images than dimensions, so it comes out too high. Compare models only.",
      "The classifier's accuracy for Black women is 0.88, below 0.9: the bias of that value is uncertain.",
    ],
  };
}

function reportModel(
  [key, label, description]: readonly [string, string, string],
  m: number,
  prompts: number,
  values: number,
): ReportModel {
  const value = [0.91, 0.16, 0.08, 0.21, 0.84, 0.47, 0.3][m]!;
  const near = (centre: number, width = 0.05): Measured => ({
    value: centre,
    interval: [Math.max(0, centre - width), Math.min(1, centre + width)],
  });
  const perPrompt = Array.from({ length: prompts }, (_, p) =>
    near(Math.max(0.01, value - 0.02 * (p % 4)), 0.07),
  );
  const first = (1 + value) / 2;
  return {
    key,
    label,
    description,
    bias: near(value),
    biasPerPrompt: perPrompt,
    rawBias: near((value * 2) / values, 0.03),
    correctedBias: near(Math.min(1, value * 1.04), 0.06),
    sharesPerPrompt: perPrompt.map(() =>
      Array.from({ length: values }, (_, v) => (v === 0 ? first : (1 - first) / (values - 1))),
    ),
    furtherBias: [{ attribute: "age", bias: near(0.2 + 0.03 * m) }],
  };
}

function metrics(models: readonly ReportModel[], prompts: number): ReportMetric[] {
  const row = (
    metric: Omit<ReportMetric, "values" | "comparisons">,
    values: readonly number[],
    {
      width,
      pValues = [0.0002, 0.0004, 0.003, 0.41, 0.02, 0.7],
    }: { width: number; pValues?: readonly number[] },
  ): ReportMetric => ({
    ...metric,
    values: models.map((_, m) => ({
      value: values[m]!,
      interval: [
        values[m]! - width,
        metric.unit === "share" ? Math.min(1, values[m]! + width) : values[m]! + width,
      ],
    })),
    comparisons: models.map((_, m): ReportComparison | undefined => {
      if (m === 0) return undefined;
      const difference = values[m]! - values[0]!;
      return { difference, interval: [difference - width, difference + width], pValue: pValues[m - 1]! };
    }),
  });
  const inception = "Inception-v3 pool3 (FID), clean resize";
  const real = "2,000 balanced validation images";
  const flat = [0.998, 0.994, 0.996, 0.993, 0.979, 0.995, 0.99];
  return [
    {
      ...row(
        {
          key: "bias",
          label: "Bias",
          what: "How unevenly the genders appear; 0 is even, 1 is always the same.",
          better: "lower",
          digits: 2,
        },
        models.map((model) => model.bias!.value),
        { width: 0.05 },
      ),
      perPrompt: Array.from({ length: prompts }, (_, p) => models.map((model) => model.biasPerPrompt?.[p])),
    },
    row(
      {
        key: "promptAccuracy",
        label: "Prompt accuracy",
        what: "Images that show what the prompt asked for.",
        better: "higher",
        unit: "share",
      },
      flat,
      { width: 0.004, pValues: [0.21, 0.44, 0.11, 0.0003, 0.37, 0.2] },
    ),
    {
      ...row(
        {
          key: "clipT",
          label: "CLIP-T",
          what: "How well images fit their prompt in the eyes of CLIP.",
          better: "higher",
          digits: 3,
          featureSpace: "CLIP ViT-L/14",
        },
        [0.271, 0.269, 0.27, 0.268, 0.262, 0.27, 0.265],
        { width: 0.002, pValues: [0.08, 0.33, 0.04, 0.0001, 0.5, 0.01] },
      ),
      perPrompt: Array.from({ length: prompts }, (_, p) =>
        models.map((_, m) => ({ value: 0.27 - 0.002 * m - 0.001 * p })),
      ),
    },
    row(
      {
        key: "fid",
        label: "FID (clean)",
        what: "Distance between generated and real images.",
        better: "lower",
        featureSpace: inception,
        reference: real,
      },
      [41.9, 33.2, 32.6, 34.9, 45.1, 35.8, 36],
      { width: 1.3 },
    ),
    row(
      {
        key: "kid",
        label: "KID",
        what: "The same question, without FID's penalty for few images.",
        better: "lower",
        digits: 4,
        featureSpace: inception,
        reference: real,
      },
      [0.0183, 0.0121, 0.0117, 0.0132, 0.0204, 0.0139, 0.014],
      { width: 0.0011 },
    ),
    row(
      {
        key: "recall",
        label: "Recall",
        what: "Real images whose like the model can draw.",
        better: "higher",
        unit: "share",
        featureSpace: "VGG-16 fc2",
      },
      [0.311, 0.452, 0.471, 0.44, 0.3, 0.42, 0.4],
      { width: 0.02 },
    ),
    row(
      {
        key: "coverage",
        label: "Coverage",
        what: "Real images with a generated one nearby.",
        better: "higher",
        unit: "share",
        featureSpace: "VGG-16 fc2",
      },
      [0.522, 0.631, 0.645, 0.612, 0.5, 0.6, 0.59],
      { width: 0.02 },
    ),
    {
      key: "lpipsDiversity",
      label: "LPIPS diversity",
      what: "How different two images of one prompt look.",
      better: "higher",
      values: [],
      skipped: {
        reason: "The weights of the LPIPS network are not on this machine.",
        command: "invdiff download network lpips",
      },
    },
    {
      key: "fid:reference",
      label: "FID (as in the reference)",
      what: "FID with the reference's own resizing, for comparison with published numbers.",
      better: "lower",
      values: [],
      skipped: { reason: "The reference's own images are needed and were not given." },
    },
  ];
}

const differences = (value: string, lift: number): GroupDifference[] => [
  { kind: "column", column: "gender", value, share: 0.2 * lift, overall: 0.2, lift, pValue: 1e-40 },
  {
    kind: "word",
    column: "caption",
    value: "hospital",
    share: 0.31,
    overall: 0.22,
    lift: 0.31 / 0.22,
    pValue: 0.0004,
  },
  {
    kind: "column",
    column: "brightness",
    value: "12 to 40",
    share: 0.5,
    overall: 0.334,
    lift: 0.5 / 0.334,
    pValue: 0.0002,
  },
];

function curve(count: number, from: number, to: number) {
  // A fixed pseudo-random wobble, so that the fixture is the same everywhere.
  const wobble = (i: number) => Math.sin(i * 12.9898) * Math.cos(i * 78.233);
  const level = (i: number) => to + (from - to) * Math.exp((-9 * i) / count);
  const steps = Array.from({ length: count }, (_, i) => i + 1);
  const validated = Array.from({ length: 10 }, (_, i) => ((i + 1) * count) / 10);
  return {
    steps,
    values: steps.map((i) => level(i) * (1 + 0.18 * wobble(i))),
    validation: { steps: validated, values: validated.map((i) => level(i) * 1.06) },
  };
}
