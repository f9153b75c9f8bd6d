// The metric table of the Markdown report.
import { range } from "./format.ts";
import { escapeMarkdown, codeFence, markdownTable } from "./markdown-text.ts";
import type { ReportMetric } from "./metric-data.ts";
import {
  baseName,
  betterWords,
  comparisonCount,
  comparisonWords,
  differenceWriterOf,
  metricRows,
  pValueText,
  verdictOf,
  writerOf,
} from "./metric-rows.ts";
import type { ReportData } from "./report-data.ts";

/** Metric table, differences to the base, what was not measured. */
export function markdownMetrics(data: ReportData): string[] {
  const rows = metricRows(data);
  if (rows.length === 0 || data.models.length === 0) return [];
  const shown = rows.filter((row) => !row.skipped);
  const labels = data.models.map((model) => escapeMarkdown(model.label));
  const described = data.models.filter((model) => model.description);
  return [
    "## Every metric",
    ...(shown.length > 0
      ? [
          "In brackets: 95 % intervals.",
          markdownTable(
            ["Metric", ...labels],
            shown.map((metric) => [head(metric), ...cells(data, metric)]),
          ),
          shown.map(note).join("\n"),
        ]
      : []),
    ...differences(data, shown),
    ...skipped(rows),
    ...(described.length > 0
      ? [
          described
            .map(
              ({ label, description }) => `- **${escapeMarkdown(label)}:** ${escapeMarkdown(description!)}`,
            )
            .join("\n"),
        ]
      : []),
  ];
}

const head = (metric: ReportMetric): string =>
  `**${escapeMarkdown(metric.label)}**${metric.better ? ` (${betterWords(metric)})` : ""}`;

function cells(data: ReportData, metric: ReportMetric): string[] {
  const write = writerOf(metric);
  return data.models.map((_, m) => {
    const value = metric.values[m];
    if (!value) return "\u2013";
    const comparison = metric.comparisons?.[m];
    const verdict = comparison && verdictOf(metric, comparison);
    const interval = value.interval ? ` (${range(value.interval, write)})` : "";
    const words = verdict === "unclear" ? "no clear difference" : verdict;
    return `${write(value.value)}${interval}${words ? `<br>${words}` : ""}`;
  });
}

function note({ label, what, featureSpace, reference }: ReportMetric): string {
  const further = [reference && `Compared with ${reference}.`, featureSpace && `Features: ${featureSpace}.`];
  return `- ${escapeMarkdown([`${label}: ${what}`, ...further].filter(Boolean).join(" "))}`;
}

function differences(data: ReportData, rows: readonly ReportMetric[]): string[] {
  const lines = rows.flatMap((metric) =>
    data.models.flatMap((model, m) => {
      const comparison = metric.comparisons?.[m];
      if (!comparison) return [];
      const write = differenceWriterOf(metric);
      const { difference, interval, pValue } = comparison;
      return [
        [
          `${escapeMarkdown(metric.label)}, ${escapeMarkdown(model.label)}`,
          `${write(difference)}${interval ? ` (${range(interval, write)})` : ""}`,
          pValue === undefined ? "\u2013" : escapeMarkdown(pValueText(pValue)),
          comparisonWords(metric, comparison),
        ],
      ];
    }),
  );
  if (lines.length === 0) return [];
  const base = escapeMarkdown(baseName(data));
  return [
    `### Differences to ${base}`,
    `Model minus ${base}, shares in percentage points. Of ${comparisonCount(data)} comparisons, about one in twenty would look clear by chance alone.`,
    markdownTable(["Metric, model", "Difference", "p-value", "In words"], lines, { text: [3] }),
  ];
}

function skipped(rows: readonly ReportMetric[]): string[] {
  const missing = rows.flatMap(({ label, skipped: own }) => (own ? [{ label, ...own }] : []));
  if (missing.length === 0) return [];
  const commands = [...new Set(missing.flatMap(({ command }) => command ?? []))];
  return [
    "### Not measured",
    missing
      .map(({ label, reason }) => `- **${escapeMarkdown(label)}:** ${escapeMarkdown(reason)}`)
      .join("\n"),
    ...(commands.length > 0 ? [codeFence(commands.join("\n"), "sh")] : []),
  ];
}
