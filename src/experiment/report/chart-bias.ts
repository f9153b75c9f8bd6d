// Horizontal bars of the Bias with 95 % whiskers: one row per prompt and one for all, one bar per model.
import type { CustomSeriesOption } from "echarts";
import type { Chart } from "./charts.ts";
import { fixed, isRightToLeft, measured, quoted, shortened } from "./format.ts";
import type { Measured } from "./metric-data.ts";
import { colourOf } from "./models.ts";
import { ink } from "./palette.ts";
import type { ReportData, ReportModel } from "./report-data.ts";

const rowGap = 22;

/** One row of bars: a prompt, or all prompts. */
export interface BiasRow {
  /** Undefined: all prompts. */
  readonly prompt?: string;
  /** In the order of the models; undefined where not measured. */
  readonly values: readonly (Measured | undefined)[];
}

/** The models and rows of one chart. */
export interface BiasBars {
  readonly models: readonly ReportModel[];
  readonly rows: readonly BiasRow[];
}

/** The rows of the chart and of the table beside it: all prompts first. */
export function biasRows({ prompts }: ReportData, models: readonly ReportModel[]): BiasRow[] {
  const perPrompt = prompts.map(({ prompt }, p) => ({
    prompt,
    values: models.map((m) => m.biasPerPrompt?.[p]),
  }));
  return [
    { values: models.map((m) => m.bias) },
    ...perPrompt.filter(({ values }) => values.some((value) => value)),
  ];
}

/** Bars of the Bias, with a line where unbiased images would lie by chance. */
export function biasChart(data: ReportData, { models, rows }: BiasBars): Chart {
  const bars = sizes(models.length);
  const rowHeight = bars.total + rowGap;
  const floor = data.biasFloor;
  const top = floor === undefined ? 4 : 20;
  const words = rows.map(
    (row) =>
      `${row.prompt ?? "All prompts"}: ` +
      row.values.map((v, m) => `${models[m]!.label} ${v ? measured(v) : "not measured"}`).join(", "),
  );
  return {
    label: `Bias of each model with 95 % intervals. ${words.join(". ")}.${floor === undefined ? "" : ` Line at ${fixed(floor)}: what images without any bias show by chance.`}`,
    height: rows.length * rowHeight + 30 + top,
    option: ({ narrow }) => ({
      grid: { left: narrow ? 98 : 192, right: narrow ? 44 : 60, top, bottom: 28 },
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
        // Numbered, because a category axis takes two rows of one name for one.
        data: rows.map((_, r) => String(r)),
        axisTick: { show: false },
        axisLine: { lineStyle: { color: ink.muted } },
        axisLabel: {
          color: ink.text,
          fontSize: 13,
          lineHeight: 16,
          formatter: (row: string) => {
            const { prompt } = rows[Number(row)]!;
            if (prompt === undefined) return "All prompts";
            const text = shortened(prompt, narrow ? 34 : 66);
            // The browser would set the marks of a right-to-left text on the wrong sides.
            return isRightToLeft(text) ? text : quoted(text);
          },
          width: narrow ? 80 : 156,
          overflow: "break",
        },
      },
      series: models.map((model, m) => ({
        ...barSeries(ink[colourOf(data, model)], m, rows, bars),
        ...(m === 0 && floor !== undefined && { markLine: floorLine(floor, narrow) }),
      })),
    }),
  };
}

/** Heights in pixels; many models get thinner bars. */
function sizes(models: number): { height: number; gap: number; total: number } {
  const [height, gap] = models > 4 ? [11, 6] : [16, 8];
  return { height, gap, total: models * (height + gap) - gap };
}

function floorLine(floor: number, narrow: boolean): CustomSeriesOption["markLine"] {
  return {
    silent: true,
    symbol: "none",
    data: [{ xAxis: floor }],
    lineStyle: { color: ink.text, type: [5, 4], width: 1.25 },
    label: {
      formatter: narrow ? "no bias" : "no bias, by chance",
      position: "start",
      align: "left",
      color: ink.text,
      fontSize: 12,
    },
  };
}

function barSeries(
  fill: string,
  index: number,
  rows: readonly BiasRow[],
  bars: { height: number; gap: number; total: number },
): CustomSeriesOption {
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
      const top = api.coord([0, row])[1]! - bars.total / 2 + index * (bars.height + bars.gap);
      const middle = top + bars.height / 2;
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
            shape: {
              x: zero,
              y: top,
              width: Math.max(1.5, end - zero),
              height: bars.height,
              r: [0, 3, 3, 0],
            },
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
              fontSize: bars.height < 14 ? 12 : 13,
              fontWeight: "bold",
              verticalAlign: "middle",
            },
          },
        ],
      };
    },
  };
}
