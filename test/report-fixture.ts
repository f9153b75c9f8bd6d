// Made-up but realistic report data for the three states of a report. No number here was measured.
import { crc32, deflateSync } from "node:zlib";
import type { ReportData, ReportImage } from "../src/experiment/report/index.ts";

/** The states a report can be in. */
export type FixtureState = "groups-found" | "no-second-population" | "no-attribute";

/** Gives the picture of a bird (0 water, 1 land) on a place (0 water, 1 land). */
export type Painter = (bird: number, place: number, index: number) => Uint8Array;

const places = ["water", "land"];
const prompts = ["a photo of a waterbird", "a photo of a landbird"];

/** A one-colour PNG. */
export function squarePng(colour: readonly [number, number, number], size = 8): Uint8Array {
  const row = Buffer.concat([
    Buffer.from([0]),
    Buffer.concat(Array.from({ length: size }, () => Buffer.from(colour))),
  ]);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const frame = Buffer.alloc(body.length + 8);
    frame.writeUInt32BE(data.length, 0);
    frame.set(body, 4);
    frame.writeUInt32BE(crc32(body), body.length + 4);
    return frame;
  };
  const pixels = deflateSync(Buffer.concat(Array.from({ length: size }, () => row)));
  return Buffer.concat([
    Buffer.from("89504e470d0a1a0a", "hex"),
    chunk("IHDR", header),
    chunk("IDAT", pixels),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

const squares: Painter = (bird, place, index) =>
  squarePng([40 + 100 * bird + (index % 5) * 9, 120 + 40 * place, place === 0 ? 190 : 60]);

/** Report data of a state. */
export function reportFixture(state: FixtureState = "groups-found", paint: Painter = squares): ReportData {
  const known = state !== "no-attribute";
  const found = state !== "no-second-population";
  const row = (bird: number, rareShare: number, count = 16): ReportImage[] =>
    Array.from({ length: count }, (_, i) => {
      const rare = ((i * 7 + 3) % count) / count < rareShare;
      const place = rare ? 1 - bird : bird;
      const alt = `${prompts[bird]!}, sample ${i + 1}`;
      return { bytes: paint(bird, place, i), alt, ...(known ? { tag: places[place]! } : {}) };
    });
  const data: ReportData = {
    title: known ? (found ? "Birds and their backgrounds" : "Birds, fifty-fifty") : "My own photographs",
    createdAt: "2026-11-24T02:41:00Z",
    dataset: {
      name: known ? "the procedural birds" : "the folder “photos”",
      trainingImages: 4000,
      description: known
        ? "Drawn birds of 64 by 64 pixels, waterbirds and landbirds, in front of water or land."
        : undefined,
    },
    attribute: known ? { name: "background", values: places } : undefined,
    prompts: prompts.map((prompt, p) => ({
      prompt,
      trainingShares: known ? (found ? (p === 0 ? [0.9, 0.1] : [0.1, 0.9]) : [0.5, 0.5]) : undefined,
    })),
    outcome: found ? "groups-found" : "no-second-population",
    models: [],
    imagesPerPrompt: 512,
    fidFeatureSpace: "64 features of the evaluation classifier",
    fidReference: known ? "2,000 balanced validation images" : "the training images",
    samples: prompts.map((prompt, p) => ({
      prompt,
      grids: [
        { label: "Base model", images: row(p, found ? 0.02 : 0.5) },
        { label: "Guided model", images: row(p, found ? 0.45 : 0.5) },
      ],
    })),
    curves: [
      { title: "Base model: fine-tuning", model: "base", ...curve(4000, 0.9, 0.11) },
      { title: "Guidance module: objective over groups", model: "guided", ...curve(600, 0.22, 0.16) },
    ],
    profile: {
      timesteps: [100, 250, 400, 550, 700, 800, 870, 930, 970, 985],
      series: prompts.map((label, p) => ({
        label: `“${label}”`,
        coefficients: [0.41, 0.42, 0.4, 0.44, 0.52, 0.67, 0.82, 0.93, 0.97, 0.96].map((value) =>
          found ? value - 0.015 * p : 0.41 + 0.02 * p,
        ),
      })),
    },
    groups: {
      method:
        "Signal: losses at ten shared timesteps and noises, weighted by bimodality. Solver: two-component mixture per caption.",
      captions: found
        ? prompts.map((caption, p) => ({
            caption,
            groups: [
              { label: "Usual group", size: 1797, images: row(p, 0, 12), shares: shares(known, p, 0.002) },
              { label: "Neglected group", size: 203, images: row(p, 1, 12), shares: shares(known, p, 0.975) },
            ],
          }))
        : [],
      agreement:
        known && found ? { auc: 0.9987, precision: 0.975, recall: 0.9901, purity: 0.9968 } : undefined,
    },
    classifiers: known
      ? [
          { name: "background", accuracy: { value: 0.998, interval: [0.9955, 0.9995] }, heldOutImages: 2000 },
          { name: "bird", accuracy: { value: 0.9935, interval: [0.9895, 0.9965] }, heldOutImages: 2000 },
        ]
      : [],
    extremes:
      known && found
        ? [
            {
              title: "Clearest rare images: “a photo of a waterbird” on land",
              note: "The images in which the classifier is most certain of the rare background.",
              grids: [
                { label: "Base model", images: row(0, 0.2, 8) },
                { label: "Guided model", images: row(0, 1, 8) },
              ],
            },
          ]
        : undefined,
    stages: [
      { stage: "data set", seconds: 21.4 },
      { stage: "base", seconds: 171.2, reused: true },
      { stage: "groups", seconds: 62.7 },
      { stage: "guidance", seconds: 108.3 },
      { stage: "samples", seconds: 54.9 },
      { stage: "evaluation", seconds: 8.25 },
    ],
    totalSeconds: 255.55,
    settingsYaml:
      "seed: 0\ndata:\n  kind: birds\n  images: 4000\n  imbalance: 0.9\nbase:\n  steps: 4000\n  batchSize: 64\ngroups:\n  signal: profile\n  solver: mixture\nguidance:\n  kind: difference\n  steps: 600\n",
    versions: { invdiff: "0.1.0", libtorch: "2.13.0+cpu", node: "20.20.2", platform: "linux x64" },
    reproduce: ["npm run quickstart -- --seed 0"],
    warnings: [],
  };
  data.models = models(known, found);
  return data;
}

function models(known: boolean, found: boolean): ReportData["models"] {
  const base: ReportData["models"][number] = {
    key: "base",
    label: "Base model",
    description: "Trained on the images as they are.",
    fid: { value: 12.94 },
  };
  const guided: ReportData["models"][number] = {
    key: "guided",
    label: "Guided model",
    description: "The base model with the guidance module, trained with the inferred groups.",
    fid: { value: found ? 9.58 : 12.87 },
  };
  if (!known) return [base, guided];
  base.promptAccuracy = { value: 0.998, interval: [0.9951, 1] };
  guided.promptAccuracy = { value: 0.9941, interval: [0.9893, 0.998] };
  if (!found) {
    base.bias = { value: 0.043, interval: [0.012, 0.106] };
    base.biasPerPrompt = [base.bias, base.bias];
    base.sharesPerPrompt = [
      [0.52, 0.48],
      [0.48, 0.52],
    ];
    return [base, { ...guided, ...base, key: "guided", label: "Guided model" }];
  }
  Object.assign(base, {
    bias: { value: 0.9805, interval: [0.9668, 0.9922] },
    biasPerPrompt: [
      { value: 0.9883, interval: [0.9727, 1] },
      { value: 0.9727, interval: [0.9492, 0.9922] },
    ],
    sharesPerPrompt: [
      [0.9941, 0.0059],
      [0.0137, 0.9863],
    ],
  });
  Object.assign(guided, {
    bias: { value: 0.1504, interval: [0.0918, 0.2109] },
    biasPerPrompt: [
      { value: 0.1719, interval: [0.0859, 0.2578] },
      { value: 0.1289, interval: [0.043, 0.2148] },
    ],
    sharesPerPrompt: [
      [0.5859, 0.4141],
      [0.4355, 0.5645],
    ],
  });
  const oracle = {
    key: "oracle",
    label: "Guided, true labels",
    description:
      "The same training with the true groups instead of the inferred ones: the best one can hope for.",
    bias: { value: 0.082, interval: [0.0312, 0.1426] as const },
    biasPerPrompt: [
      { value: 0.1055, interval: [0.0234, 0.1914] as const },
      { value: 0.0586, interval: [0.0039, 0.1445] as const },
    ],
    promptAccuracy: { value: 0.9961, interval: [0.9922, 0.999] as const },
    fid: { value: 9.31 },
  };
  return [base, guided, oracle];
}

function shares(known: boolean, bird: number, rare: number): number[] | undefined {
  if (!known) return undefined;
  return bird === 0 ? [1 - rare, rare] : [rare, 1 - rare];
}

function curve(steps: number, from: number, to: number): { steps: number[]; values: number[] } {
  // A fixed pseudo-random wobble, so that the fixture is the same everywhere.
  const wobble = (i: number) => Math.sin(i * 12.9898) * Math.cos(i * 78.233);
  const indices = Array.from({ length: steps }, (_, i) => i + 1);
  return {
    steps: indices,
    values: indices.map((i) => (to + (from - to) * Math.exp((-9 * i) / steps)) * (1 + 0.18 * wobble(i))),
  };
}
