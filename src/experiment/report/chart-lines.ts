// Line charts: loss curves and the bimodality profile.
import type { Chart } from "./charts.ts";
import { fixed, integer } from "./format.ts";
import { captionInk, ink } from "./palette.ts";
import type { ReportCurve, ReportProfile } from "./report-data.ts";
import { thinCurve } from "./series.ts";

/** Above it a distribution has more than one peak: the coefficient of the uniform distribution. */
export const bimodalityThreshold = 5 / 9;

const valueAxis = {
  type: "value" as const,
  axisLabel: { color: ink.muted, fontSize: 12, hideOverlap: true },
  axisLine: { show: true, lineStyle: { color: ink.muted } },
  splitLine: { lineStyle: { color: ink.grid } },
  nameTextStyle: { color: ink.muted, fontSize: 12 },
};

/** A loss curve: raw faint, smoothed strong. The first spike may be cut off at the top. */
export function lossChart(curve: ReportCurve): Chart {
  const { steps, raw, smooth } = thinCurve(curve.steps, curve.values);
  const sorted = [...raw].sort((a, b) => a - b);
  const usual = sorted[Math.floor(0.96 * (sorted.length - 1))] ?? 1;
  const top = Math.min(sorted.at(-1) ?? 1, usual * 1.6);
  const points = (values: number[]) => steps.map((step, i) => [step, Number(values[i]!.toPrecision(4))]);
  const colour = ink[curve.model];
  const ends =
    smooth.length > 0
      ? `from ${fixed(smooth[0]!, 3)} at step ${integer(steps[0]!)} to ${fixed(smooth.at(-1)!, 3)} at step ${integer(steps.at(-1)!)}`
      : "no steps";
  return {
    label: `${curve.title}: loss by training step, smoothed, ${ends}.`,
    height: 230,
    width: 420,
    option: () => ({
      grid: { left: 46, right: 14, top: 14, bottom: 40 },
      xAxis: {
        ...valueAxis,
        name: "training step",
        nameLocation: "middle",
        nameGap: 24,
        min: 0,
        max: steps.at(-1) ?? 1,
        splitNumber: 4,
        splitLine: { show: false },
      },
      yAxis: { ...valueAxis, min: 0, ...niceScale(top), axisLine: { show: false } },
      series: [
        {
          type: "line",
          data: points(raw),
          showSymbol: false,
          silent: true,
          lineStyle: { color: colour, width: 1, opacity: 0.3 },
        },
        {
          type: "line",
          data: points(smooth),
          showSymbol: false,
          silent: true,
          lineStyle: { color: colour, width: 2.25 },
        },
      ],
    }),
  };
}

/** Bimodality coefficient by timestep with the 5/9 line. */
export function profileChart(profile: ReportProfile): Chart {
  const peak = Math.max(...profile.series.flatMap((series) => series.coefficients), 0);
  const words = profile.series.map((series) => {
    const best = series.coefficients.indexOf(Math.max(...series.coefficients));
    return `${series.label}: highest ${fixed(series.coefficients[best] ?? 0)} at timestep ${profile.timesteps[best] ?? 0}`;
  });
  return {
    label: `Bimodality coefficient by timestep, with a line at 5/9, 0.56. ${words.join(". ")}.`,
    height: 280,
    option: ({ narrow }) => ({
      grid: { left: 40, right: 14, top: 14, bottom: 40 },
      xAxis: {
        ...valueAxis,
        name: "timestep (0: clean image, high: noise)",
        nameLocation: "middle",
        nameGap: 24,
        min: 0,
        max: profile.timesteps.some((t) => t > 500) ? 1000 : undefined,
        splitNumber: narrow ? 4 : 8,
        splitLine: { show: false },
      },
      yAxis: {
        ...valueAxis,
        min: 0,
        ...niceScale(Math.max(1, peak)),
        axisLine: { show: false },
      },
      series: profile.series.map((series, s) => ({
        type: "line" as const,
        silent: true,
        data: profile.timesteps
          .map((t, i) => [t, series.coefficients[i] ?? Number.NaN] as [number, number])
          .sort((a, b) => a[0] - b[0]),
        symbol: ["circle", "rect", "triangle", "diamond"][s % 4]!,
        symbolSize: 7,
        itemStyle: { color: ink[captionInk(s)] },
        lineStyle: {
          color: ink[captionInk(s)],
          width: 2,
          type: (["solid", "dashed", "dotted"] as const)[s % 3]!,
        },
        markLine:
          s === 0
            ? {
                silent: true,
                symbol: "none",
                data: [{ yAxis: bimodalityThreshold }],
                lineStyle: { color: ink.text, type: [6, 4], width: 1.25 },
                label: {
                  formatter: narrow ? "5/9" : "5/9: above it, two populations",
                  position: "insideStartTop",
                  color: ink.text,
                  fontSize: 12,
                },
              }
            : undefined,
      })),
    }),
  };
}

// Top of the axis and distance of its ticks, for tops between 1 and 10.
const scales: [top: number, interval: number][] = [
  [1, 0.25],
  [1.2, 0.4],
  [1.5, 0.5],
  [2, 0.5],
  [2.5, 0.5],
  [3, 1],
  [4, 1],
  [5, 1],
  [6, 2],
  [8, 2],
  [10, 2.5],
];

/** The next round top at or above a value, and ticks that reach it. */
function niceScale(value: number): { max: number; interval: number } {
  const power = value > 0 ? 10 ** Math.floor(Math.log10(value)) : 1;
  const [top, interval] = scales.find(([top]) => top * power >= value * 0.999) ?? [10, 2.5];
  return { max: Number((top * power).toPrecision(3)), interval: Number((interval * power).toPrecision(3)) };
}
