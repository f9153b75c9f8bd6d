// The metric table as plain JSON: the same numbers as the report, for programs, in a format with a version.
import type { Interval } from "../../metrics/index.ts";
import type { Measured, ReportMetric } from "./metric-data.ts";
import { metricRows, type Verdict, verdictOf } from "./metric-rows.ts";
import { baseOf } from "./models.ts";
import type { ReportData } from "./report-data.ts";

/** A number with its 95 % interval, `null` where there is none. */
export interface MeasuredJson {
  readonly value: number;
  readonly interval: Interval | null;
}

/** A model's difference to the base (model minus base). */
export interface ComparisonJson {
  readonly difference: number;
  readonly interval: Interval | null;
  readonly pValue: number | null;
  /** What the report's words say: "better", "worse", "higher", "lower" or "unclear". */
  readonly verdict: Verdict;
}

/** One metric; every record has the models' keys, `null` where not measured. */
export interface MetricJson {
  readonly key: string;
  readonly label: string;
  readonly what: string;
  readonly better: "lower" | "higher" | null;
  readonly featureSpace: string | null;
  readonly reference: string | null;
  readonly values: Readonly<Record<string, MeasuredJson | null>>;
  /** By prompt, in the order of `prompts`; `null` where the metric has no numbers by prompt. */
  readonly perPrompt: readonly Readonly<Record<string, MeasuredJson | null>>[] | null;
  readonly comparedToBase: Readonly<Record<string, ComparisonJson | null>>;
  /** Why it was not measured, and the command that gets what is missing. */
  readonly skipped: { readonly reason: string; readonly command: string | null } | null;
}

/**
 * The metric table. `version` goes up by one whenever a field changes its meaning or goes away; new fields may come without.
 */
export interface MetricTableJson {
  readonly format: "invdiff-metrics";
  readonly version: 1;
  readonly title: string;
  readonly createdAt: string;
  /** Key of the model that the others are compared with; `null` with no models. */
  readonly base: string | null;
  readonly models: readonly {
    readonly key: string;
    readonly label: string;
    readonly description: string | null;
  }[];
  readonly prompts: readonly string[];
  readonly imagesPerPrompt: number | null;
  readonly metrics: readonly MetricJson[];
  readonly warnings: readonly string[];
}

/** The metric table of a report. */
export function reportJson(data: ReportData): MetricTableJson {
  return {
    format: "invdiff-metrics",
    version: 1,
    title: data.title,
    createdAt: data.createdAt,
    base: baseOf(data)?.key ?? null,
    models: data.models.map(({ key, label, description = null }) => ({ key, label, description })),
    prompts: data.prompts.map(({ prompt }) => prompt),
    imagesPerPrompt: data.imagesPerPrompt ?? null,
    metrics: metricRows(data).map((metric) => metricJson(data, metric)),
    warnings: [...data.warnings],
  };
}

function metricJson({ models }: ReportData, metric: ReportMetric): MetricJson {
  const byModel = <T>(of: (index: number) => T): Record<string, T> =>
    Object.fromEntries(models.map(({ key }, index) => [key, of(index)]));
  const { key, label, what, better = null, featureSpace = null, reference = null } = metric;
  return {
    key,
    label,
    what,
    better,
    featureSpace,
    reference,
    values: byModel((m) => measuredJson(metric.values[m])),
    perPrompt: metric.perPrompt?.map((row) => byModel((m) => measuredJson(row[m]))) ?? null,
    comparedToBase: byModel((m) => {
      const comparison = metric.comparisons?.[m];
      if (!comparison) return null;
      const { difference, interval = null, pValue = null } = comparison;
      return { difference, interval, pValue, verdict: verdictOf(metric, comparison) };
    }),
    skipped: metric.skipped
      ? { reason: metric.skipped.reason, command: metric.skipped.command ?? null }
      : null,
  };
}

const measuredJson = (value: Measured | undefined): MeasuredJson | null =>
  value ? { value: value.value, interval: value.interval ?? null } : null;
