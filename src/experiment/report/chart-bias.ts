// Horizontal bars of the Bias with 95 % whiskers: one row per prompt and one for all, one bar per model.
import type { CustomSeriesOption } from "echarts";
import type { Chart } from "./charts.ts";
import { fixed, measured } from "./format.ts";
import { ink, modelInk } from "./palette.ts";
import type { Measured, ReportModel } from "./report-data.ts";

const barHeight = 16;
const barGap = 8;
const rowGap = 22;

/** One row of bars: a prompt, or all prompts. */
export interface BiasRow {
  name: string;
  /** In the order of the models; undefined where not measured. */
  values: (Measured | undefined)[];
}

/** The rows of the chart and of the table beside it: all prompts first. */
export function biasRows(models: readonly ReportModel[], prompts: readonly string[]): BiasRow[] {
  const perPrompt = prompts.map((name, p) => ({ name, values: models.map((m) => m.biasPerPrompt?.[p]) }));
  return [{ name: "All prompts", values: models.map((m) => m.bias) }, ...perPrompt];
}

/** Bars of the Bias. */
export function biasChart(models: readonly ReportModel[], rows: readonly BiasRow[]): Chart {
  const rowHeight = models.length * (barHeight + barGap) - barGap + rowGap;
  const words = rows.map(
    (row) =>
      `${row.name}: ` +
      row.values.map((v, m) => `${models[m]!.label} ${v ? measured(v) : "not measured"}`).join(", "),
  );
  return {
    label: `Bias of each model with 95 % intervals. ${words.join(". ")}.`,
    height: rows.length * rowHeight + 34,
    option: ({ narrow }) => ({
      grid: { left: narrow ? 98 : 186, right: narrow ? 44 : 60, top: 4, bottom: 28 },
      xAxis: {
        type: "value",
        min: 0,
        max: 1,
        interval: narrow ? 0.5 : 0.25,
        axisLabel: { color: ink.muted, fontSize: 12 },
        splitLine: { lineStyle: { color: ink.grid } },
      },
      yAxis: {
        type: "category",
        inverse: true,
        data: rows.map((row) => row.name),
        axisTick: { show: false },
        axisLine: { lineStyle: { color: ink.muted } },
        axisLabel: {
          color: ink.text,
          fontSize: 13,
          lineHeight: 16,
          width: narrow ? 82 : 168,
          overflow: "break",
        },
      },
      series: models.map((model, m) => barSeries(model, m, models.length, rows)),
    }),
  };
}

function barSeries(
  model: ReportModel,
  index: number,
  models: number,
  rows: readonly BiasRow[],
): CustomSeriesOption {
  const fill = ink[modelInk(model.key, Math.max(0, index - 2))];
  const total = models * (barHeight + barGap) - barGap;
  return {
    type: "custom",
    silent: true,
    data: rows.map((row, r) => [row.values[index]?.value ?? Number.NaN, r]),
    renderItem: (_, api) => {
      const row = Number(api.value(1));
      const bar = rows[row]!.values[index];
      if (!bar) return null;
      const x = (value: number) => api.coord([value, row])[0]!;
      const [zero, end] = [x(0), x(bar.value)];
      const top = api.coord([0, row])[1]! - total / 2 + index * (barHeight + barGap);
      const middle = top + barHeight / 2;
      const [low, high] = (bar.interval ?? [bar.value, bar.value]).map((value) => x(value)) as [
        number,
        number,
      ];
      // Drawn twice, with a halo first, so that the whisker is seen on the bar too.
      const line = (x1: number, y1: number, x2: number, y2: number) =>
        [
          { stroke: ink.card, lineWidth: 3.5 },
          { stroke: ink.text, lineWidth: 1.5 },
        ].map((style) => ({ type: "line" as const, shape: { x1, y1, x2, y2 }, style }));
      const whisker = bar.interval
        ? [
            line(low, middle, high, middle),
            line(low, middle - 4, low, middle + 4),
            line(high, middle - 4, high, middle + 4),
          ]
            .flat()
            .sort((a, b) => b.style.lineWidth - a.style.lineWidth)
        : [];
      return {
        type: "group",
        children: [
          {
            type: "rect",
            shape: { x: zero, y: top, width: Math.max(1.5, end - zero), height: barHeight, r: [0, 3, 3, 0] },
            style: { fill },
          },
          ...whisker,
          {
            type: "text",
            x: Math.max(end, high) + 7,
            y: middle,
            style: {
              text: fixed(bar.value),
              fill: ink.text,
              fontSize: 13,
              fontWeight: "bold",
              verticalAlign: "middle",
            },
          },
        ],
      };
    },
  };
}
