// The metric table in words: its rows, how each number is written, and what a difference to the base means.
import { fixed, percent1 } from "./format.ts";
import type { Measured, ReportComparison, ReportMetric } from "./metric-data.ts";
import { baseOf } from "./models.ts";
import type { ReportData, ReportModel } from "./report-data.ts";

/** What a comparison says: "unclear" when chance alone could explain it. */
export type Verdict = "better" | "worse" | "higher" | "lower" | "unclear";

/** The rows of the table: those given, or what the models themselves say. */
export function metricRows(data: ReportData): readonly ReportMetric[] {
  if (data.metrics) return data.metrics;
  const own: (Omit<ReportMetric, "values"> & { of: (model: ReportModel) => Measured | undefined })[] = [
    {
      key: "bias",
      label: "Bias",
      what: "How unevenly the values of the attribute appear; 0 is even, 1 is always the same.",
      better: "lower",
      digits: 2,
      of: (model) => model.bias,
    },
    {
      key: "promptAccuracy",
      label: "Prompt accuracy",
      what: "Images that show what the prompt asked for.",
      better: "higher",
      unit: "share",
      of: (model) => model.promptAccuracy,
    },
    {
      key: "fid",
      label: "FID",
      what: "Distance between generated and real images.",
      better: "lower",
      featureSpace: data.fidFeatureSpace,
      reference: data.fidReference,
      of: (model) => model.fid,
    },
  ];
  return own
    .map(({ of, ...row }) => ({ ...row, values: data.models.map(of) }))
    .filter(({ values }) => values.some((value) => value));
}

/** The row of a key, where it was measured. */
export function metricOf(data: ReportData, key: string): ReportMetric | undefined {
  return metricRows(data).find((row) => row.key === key && !row.skipped);
}

/** A model's value of a metric. */
export function valueOf(data: ReportData, key: string, model: ReportModel | undefined): Measured | undefined {
  return model && metricOf(data, key)?.values[data.models.indexOf(model)];
}

/** A model's comparison with the base. */
export function comparisonOf(
  data: ReportData,
  key: string,
  model: ReportModel | undefined,
): ReportComparison | undefined {
  return model && metricOf(data, key)?.comparisons?.[data.models.indexOf(model)];
}

/** How a metric's numbers are written: all numbers of a row with the same digits, more of them for small numbers. */
export function writerOf(metric: ReportMetric): (value: number) => string {
  if (metric.unit === "share") return percent1;
  const largest = Math.max(0, ...metric.values.map((value) => Math.abs(value?.value ?? 0)));
  const digits = metric.digits ?? (largest < 1 ? 3 : largest < 10 ? 2 : 1);
  return (value) => fixed(value, digits);
}

/** A difference as it is written: with its sign; shares in percentage points. */
export function differenceWriterOf(metric: ReportMetric): (value: number) => string {
  const write = metric.unit === "share" ? (value: number) => fixed(value * 100, 1) : writerOf(metric);
  return (value) => {
    const text = write(value);
    return value > 0 && Number(text) !== 0 ? `+${text}` : text;
  };
}

/** What a comparison says at the 5 % level; without a p-value the interval decides. */
export function verdictOf({ better }: Pick<ReportMetric, "better">, comparison: ReportComparison): Verdict {
  const { difference, interval, pValue } = comparison;
  const isClear =
    pValue !== undefined ? pValue < 0.05 : interval !== undefined && (interval[0] > 0 || interval[1] < 0);
  if (!isClear || difference === 0) return "unclear";
  const direction = difference < 0 ? "lower" : "higher";
  return better === undefined ? direction : better === direction ? "better" : "worse";
}

/** A comparison in words, such as "lower than the base, beyond chance". */
export function comparisonWords(metric: ReportMetric, comparison: ReportComparison): string {
  if (verdictOf(metric, comparison) === "unclear") return "no clear difference";
  return `${comparison.difference < 0 ? "lower" : "higher"} than the base, beyond chance`;
}

/** A p-value, such as "p = 0.03" or "p < 0.001". */
export function pValueText(pValue: number): string {
  return pValue < 0.001 ? "p\u00a0<\u00a00.001" : `p\u00a0=\u00a0${fixed(pValue, pValue < 0.1 ? 3 : 2)}`;
}

/** Such as "lower is better"; empty when neither is. */
export function betterWords({ better }: Pick<ReportMetric, "better">): string {
  return better ? `${better} is better` : "";
}

/** Comparisons that the table makes; about one in twenty is "clear" by chance. */
export function comparisonCount(data: ReportData): number {
  return metricRows(data).reduce(
    (sum, { comparisons = [] }) => sum + comparisons.filter((comparison) => comparison).length,
    0,
  );
}

/** Name of the base in a sentence. */
export function baseName(data: ReportData): string {
  const base = baseOf(data);
  return !base || base.key === "base" ? "the base model" : base.label;
}
