// Line charts: loss curves and the bimodality profile.
import type { Chart } from "./charts.ts";
import { fixed, integer } from "./format.ts";
import { colourOf } from "./models.ts";
import { captionInk, ink } from "./palette.ts";
import type { ReportCurve, ReportData, ReportProfile } from "./report-data.ts";
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

/** A loss curve: raw faint, smoothed strong, validation as dots. The first spike may be cut off at the top. */
export function lossChart(data: ReportData, curve: ReportCurve): Chart {
  const { steps, raw, smooth } = thinCurve(curve.steps, curve.values);
  const sorted = [...raw].sort((a, b) => a - b);
  const usual = sorted[Math.floor(0.96 * (sorted.length - 1))] ?? 1;
  const { steps: validSteps = [], values: validValues = [] } = curve.validation ?? {};
  const validated = validSteps
    .map((step, i) => [step, validValues[i] ?? Number.NaN] as const)
    .filter(([, value]) => Number.isFinite(value));
  const top = Math.max(Math.min(sorted.at(-1) ?? 1, usual * 1.6), ...validated.map(([, value]) => value));
  const points = (values: number[]) => steps.map((step, i) => [step, Number(values[i]!.toPrecision(4))]);
  const model = data.models.find(({ key }) => key === curve.model);
  const colour = ink[model ? colourOf(data, model) : curve.model === "guided" ? "guided" : "base"];
  const ends =
    smooth.length > 0
      ? `from ${fixed(smooth[0]!, 3)} at step ${integer(steps[0]!)} to ${fixed(smooth.at(-1)!, 3)} at step ${integer(steps.at(-1)!)}`
      : "no steps";
  return {
    label: `${curve.title}: loss by training step, smoothed, ${ends}.${
      validated.length > 0 ? ` On validation images ${fixed(validated.at(-1)![1], 3)} at the end.` : ""
    }`,
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
        max: Math.max(steps.at(-1) ?? 1, validated.at(-1)?.[0] ?? 0),
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
        {
          type: "line",
          data: validated.map(([step, value]) => [step, Number(value.toPrecision(4))]),
          symbol: "circle",
          symbolSize: 6,
          silent: true,
          itemStyle: { color: ink.text },
          lineStyle: { color: ink.text, width: 1, type: [3, 3] },
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
      xAxis: timestepAxis(profile, narrow ? 4 : 8),
      yAxis: { ...valueAxis, min: 0, ...niceScale(Math.max(1, peak)), axisLine: { show: false } },
      series: profile.series.map((series, s) => ({
        ...timestepSeries(profile.timesteps, series.coefficients, s),
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

/** Mean loss of each group by timestep. */
export function meanLossChart(
  { timesteps }: ReportProfile,
  { caption, groups }: NonNullable<ReportProfile["meanLosses"]>[number],
): Chart {
  const peak = Math.max(...groups.flatMap(({ losses }) => losses.filter(Number.isFinite)), 0);
  const words = groups.map(({ label, losses }) => {
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / Math.max(1, losses.length);
    return `${label}: ${fixed(mean, 3)} on average`;
  });
  return {
    label: `Mean loss by timestep of each group${caption === undefined ? "" : ` of ${caption}`}. ${words.join(". ")}.`,
    height: 240,
    width: 420,
    option: () => ({
      grid: { left: 46, right: 14, top: 14, bottom: 40 },
      xAxis: timestepAxis({ timesteps }, 4),
      yAxis: { ...valueAxis, min: 0, ...niceScale(peak), axisLine: { show: false } },
      series: groups.map(({ losses }, g) => timestepSeries(timesteps, losses, g)),
    }),
  };
}

const timestepAxis = ({ timesteps }: Pick<ReportProfile, "timesteps">, splitNumber: number) => ({
  ...valueAxis,
  name: "timestep (0: clean image, high: noise)",
  nameLocation: "middle" as const,
  nameGap: 24,
  min: 0,
  ...(timesteps.some((t) => t > 500)
    ? { max: 1000, interval: splitNumber > 4 ? 100 : 250 }
    : { splitNumber }),
  splitLine: { show: false },
});

const timestepSeries = (timesteps: readonly number[], values: readonly number[], index: number) => ({
  type: "line" as const,
  silent: true,
  data: timesteps.map((t, i) => [t, values[i] ?? Number.NaN] as [number, number]).sort((a, b) => a[0] - b[0]),
  symbol: ["circle", "rect", "triangle", "diamond"][index % 4]!,
  symbolSize: 7,
  itemStyle: { color: ink[captionInk(index)] },
  lineStyle: {
    color: ink[captionInk(index)],
    width: 2,
    type: (["solid", "dashed", "dotted"] as const)[index % 3]!,
  },
});

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
