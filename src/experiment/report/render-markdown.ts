// The report as GitHub Markdown: the same numbers as report.html, for issues, wikis and version control.
import { bytes, dateTime, duration, fixed, integer, measured, percent, percent1 } from "./format.ts";
import { glossary } from "./glossary.ts";
import { codeFence, escapeMarkdown, markdownTable } from "./markdown-text.ts";
import { markdownGroups } from "./markdown-groups.ts";
import { markdownMetrics } from "./markdown-metrics.ts";
import { samplesSheet, sheetLink } from "./picture-sheets.ts";
import type { ReportData } from "./report-data.ts";
import { trustedAccuracy, verdict } from "./sections/result.ts";

/** Options of `renderMarkdown`. */
export interface MarkdownOptions {
  /** Folder of the pictures that `drawPictureSheets` draws, relative to the Markdown file; without it no picture is named. */
  readonly pictures?: string;
}

/** The report as Markdown; equal data give equal text. */
export function renderMarkdown(data: ReportData, { pictures }: MarkdownOptions = {}): string {
  const parts = [
    `# ${escapeMarkdown(data.title)}`,
    `InvDiff report, ${escapeMarkdown(dateTime(data.createdAt))}`,
    ...question(data),
    "## Result",
    `**${escapeMarkdown(verdict(data))}**`,
    ...warnings(data),
    ...samples(data, pictures),
    ...markdownMetrics(data),
    ...bias(data),
    ...classifiers(data),
    ...markdownGroups(data, pictures),
    ...costs(data),
    ...repeat(data),
    ...words(data),
  ];
  return `${parts.join("\n\n")}\n`;
}

function question({ dataset, attribute, prompts, imagesPerPrompt }: ReportData): string[] {
  const facts = [
    dataset && `${integer(dataset.trainingImages)} training images of ${escapeMarkdown(dataset.name)}`,
    `${integer(prompts.length)} ${prompts.length === 1 ? "prompt" : "prompts"}`,
    imagesPerPrompt !== undefined && `${integer(imagesPerPrompt)} images per prompt and model`,
    attribute &&
      `attribute: ${escapeMarkdown(attribute.name)} (${attribute.values.map(escapeMarkdown).join(", ")})`,
  ].filter(Boolean);
  return [`${facts.join("; ")}.`, ...(dataset?.description ? [escapeMarkdown(dataset.description)] : [])];
}

function warnings(data: ReportData): string[] {
  const weak = data.classifiers
    .filter(({ accuracy }) => accuracy.value < trustedAccuracy)
    .map(
      ({ name, accuracy }) =>
        `The classifier for the ${name} is right for only ${percent(accuracy.value)} of held-out images (at least ${percent(trustedAccuracy)} needed).`,
    );
  const all = [...weak, ...data.warnings];
  return all.length === 0
    ? []
    : [`> **Warning**\n>\n${all.map((warning) => `> - ${escapeMarkdown(warning)}`).join("\n")}`];
}

function samples(data: ReportData, pictures: string | undefined): string[] {
  if (pictures === undefined || data.samples.length === 0) return [];
  const cards = data.samples.flatMap(({ prompt, grids }, p) => [
    `### \u201c${escapeMarkdown(prompt)}\u201d`,
    grids
      .flatMap(({ label, images }, g) =>
        images.length === 0
          ? []
          : [
              `**${escapeMarkdown(label)}**\n\n${sheetLink(pictures, samplesSheet(p, g), `${images.length} samples of ${label}: ${prompt}`)}`,
            ],
      )
      .join("\n\n"),
  ]);
  return ["## Samples", "Images at the same place have the same seed; none was picked by hand.", ...cards];
}

function bias(data: ReportData): string[] {
  const models = data.models.filter((model) => model.bias);
  if (models.length === 0) return [];
  const labels = models.map((model) => escapeMarkdown(model.label));
  const value = (own: Parameters<typeof measured>[0] | undefined) => (own ? measured(own) : "\u2013");
  const rows = [
    ["All prompts", ...models.map((model) => value(model.bias))],
    ...data.prompts.map(({ prompt }, p) => [
      `\u201c${escapeMarkdown(prompt)}\u201d`,
      ...models.map((model) => value(model.biasPerPrompt?.[p])),
    ]),
  ];
  const ways = [
    ["Bias (normalised)", ...models.map((model) => value(model.bias))],
    ["Corrected", ...models.map((model) => value(model.correctedBias))],
    ["Raw, as in the paper", ...models.map((model) => value(model.rawBias))],
  ];
  const isCounted = models.some((model) => model.correctedBias ?? model.rawBias);
  return [
    "## Bias by prompt",
    `0: all values equally often; 1: always the same. In brackets: 95 % intervals.${
      data.biasFloor === undefined
        ? ""
        : ` Without any bias, chance makes it ${fixed(data.biasFloor)} on average for so many images.`
    }`,
    markdownTable(["Prompt", ...labels], rows),
    ...(isCounted ? [markdownTable(["Way of counting", ...labels], ways)] : []),
  ];
}

function classifiers(data: ReportData): string[] {
  if (data.classifiers.length === 0) return [];
  const names = ["precision", "recall", "f1", "auc"] as const;
  const rows = data.classifiers.map(({ name, accuracy, metrics, heldOutImages }) => [
    escapeMarkdown(name),
    measured(accuracy, percent1),
    ...names.map((column) => (metrics?.[column] === undefined ? "\u2013" : fixed(metrics[column], 3))),
    integer(heldOutImages),
  ]);
  const matrices = data.classifiers.flatMap(({ name, confusion }) => {
    if (!confusion) return [];
    const values = confusion.values.map(escapeMarkdown);
    return [
      `What the classifier for the ${escapeMarkdown(name)} takes for what (rows: truth):`,
      markdownTable(
        ["", ...values],
        values.map((value, v) => [value, ...values.map((_, w) => integer(confusion.counts[v]?.[w] ?? 0))]),
      ),
    ];
  });
  return [
    "## Classifiers, on held-out real images",
    markdownTable(["Recognises", "Accuracy", "Precision", "Recall", "F1", "AUC", "Images"], rows),
    ...matrices,
  ];
}

function costs(data: ReportData): string[] {
  if (data.stages.length === 0) return [];
  const size = (count: number | undefined) => (count === undefined ? "\u2013" : bytes(count));
  const rows = data.stages.map(({ stage, seconds, reused, peakBytes, devicePeakBytes }) => [
    `${escapeMarkdown(stage)}${reused ? " (reused)" : ""}`,
    duration(seconds),
    size(peakBytes),
    size(devicePeakBytes),
  ]);
  return [
    "## Time and peak memory",
    markdownTable(
      ["Stage", "Time", "Memory", "On the device"],
      [...rows, ["**This run**", `**${duration(data.totalSeconds)}**`, "", ""]],
    ),
  ];
}

function repeat({ reproduce, settingsYaml, versions }: ReportData): string[] {
  const parts = [
    ...(reproduce.length > 0 ? [codeFence(reproduce.join("\n"), "sh")] : []),
    ...(settingsYaml.trim() === "" ? [] : [codeFence(settingsYaml, "yaml")]),
    ...(Object.keys(versions).length > 0
      ? [
          markdownTable(
            ["Part", "Version"],
            Object.entries(versions).map((row) => row.map(escapeMarkdown)),
            { text: [1] },
          ),
        ]
      : []),
  ];
  return parts.length === 0 ? [] : ["## Repeat this run", ...parts];
}

function words(data: ReportData): string[] {
  const terms = glossary(data);
  if (terms.length === 0) return [];
  return [
    "## What the numbers mean",
    terms.map(({ term, meaning }) => `- **${escapeMarkdown(term)}:** ${escapeMarkdown(meaning)}`).join("\n"),
  ];
}
