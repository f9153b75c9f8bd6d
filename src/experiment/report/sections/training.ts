// Loss curves, times and memory.
import { lossChart } from "../chart-lines.ts";
import type { ChartDrawer } from "../charts.ts";
import { bytes, duration } from "../format.ts";
import { html } from "../html.ts";
import type { Html } from "../html.ts";
import type { Section } from "../parts.ts";
import type { ReportData } from "../report-data.ts";

/** Loss curves and what each stage took. */
export function trainingSection(data: ReportData, drawer: ChartDrawer): Section | undefined {
  if (data.curves.length === 0 && data.stages.length === 0) return undefined;
  const validated = data.curves.some(({ validation }) => validation && validation.steps.length > 0);
  const body = html`
    ${
      data.curves.length > 0 &&
      html`<div class="charts">
          ${data.curves.map(
            (curve) =>
              html`<figure class="card">
                <figcaption>${curve.title}</figcaption>
                ${drawer.draw(lossChart(data, curve))}
              </figure>`,
          )}
        </div>
        <p class="small">
          Faint: loss, averaged over neighbouring steps where there are more than 500. Strong: smoothed.
          ${validated && "Dots: loss on validation images, which the training never saw."} A spike at the very
          start may leave the chart.
        </p>`
    }
    ${data.stages.length > 0 && costs(data)}
  `;
  const title = data.curves.length > 0 ? "Training and cost" : "Time and memory";
  return { id: "training", title, short: title, body };
}

function costs(data: ReportData): Html {
  const longest = Math.max(...data.stages.map((stage) => stage.seconds), 1e-9);
  const reused = data.stages.some((stage) => stage.reused);
  const memory = data.stages.some((stage) => stage.peakBytes !== undefined);
  const device = data.stages.some((stage) => stage.devicePeakBytes !== undefined);
  const size = (count: number | undefined) =>
    html`<td class="num">${count === undefined ? "\u2013" : bytes(count)}</td>`;
  const title = memory || device ? "Time and peak memory per stage" : "Time per stage";
  return html`<div class="scroll" role="region" aria-label="${title}" tabindex="0">
      <table>
        <caption>
          <span>${title}</span>
        </caption>
        <thead>
          <tr>
            <th scope="col">Stage</th>
            <th scope="col" class="num">Time</th>
            ${memory && html`<th scope="col" class="num">Memory</th>`}
            ${device && html`<th scope="col" class="num">On the device</th>`}
            <th scope="col">Time compared</th>
          </tr>
        </thead>
        <tbody>
          ${data.stages.map(
            (stage) =>
              html`<tr>
                <th scope="row">
                  ${stage.stage}${stage.reused && html` <span class="muted">(reused)</span>`}
                </th>
                <td class="num">${duration(stage.seconds)}</td>
                ${memory && size(stage.peakBytes)} ${device && size(stage.devicePeakBytes)}
                <td class="bar">
                  <span
                    class="${stage.reused ? "reused" : "fresh"}"
                    style="width:${((100 * stage.seconds) / longest).toFixed(1)}%"
                  ></span>
                </td>
              </tr>`,
          )}
          <tr>
            <th scope="row">This run</th>
            <td class="num"><strong>${duration(data.totalSeconds)}</strong></td>
            ${memory && size(highest(data.stages.map((stage) => stage.peakBytes)))}
            ${device && size(highest(data.stages.map((stage) => stage.devicePeakBytes)))}
            <td class="bar"></td>
          </tr>
        </tbody>
      </table>
    </div>
    ${
      reused &&
      html`<p class="small">
        Reused: the stage was finished in an earlier run with the same inputs; its time then.
      </p>`
    }`;
}

const highest = (values: readonly (number | undefined)[]): number =>
  Math.max(...values.map((value) => value ?? 0));
