// Loss curves and times.
import { lossChart } from "../chart-lines.ts";
import type { ChartDrawer } from "../charts.ts";
import { duration } from "../format.ts";
import { html } from "../html.ts";
import type { Section } from "../parts.ts";
import type { ReportData } from "../report-data.ts";

/** Loss curves and time per stage. */
export function trainingSection(data: ReportData, drawer: ChartDrawer): Section | undefined {
  if (data.curves.length === 0 && data.stages.length === 0) return undefined;
  const body = html`
    ${
      data.curves.length > 0 &&
      html`<div class="charts">
          ${data.curves.map(
            (curve) =>
              html`<figure class="card">
                <figcaption>${curve.title}</figcaption>
                ${drawer.draw(lossChart(curve))}
              </figure>`,
          )}
        </div>
        <p class="small">
          Faint: loss, averaged over neighbouring steps where there are more than 500. Strong: smoothed. A
          spike at the very start may leave the chart.
        </p>`
    }
    ${data.stages.length > 0 && times(data)}
  `;
  return { id: "training", title: "Training and time", body };
}

function times(data: ReportData) {
  const longest = Math.max(...data.stages.map((stage) => stage.seconds), 1e-9);
  const reused = data.stages.some((stage) => stage.reused);
  return html`<div class="scroll" role="region" aria-label="Time per stage" tabindex="0">
      <table>
        <caption>
          Time per stage
        </caption>
        <thead>
          <tr>
            <th scope="col">Stage</th>
            <th scope="col" class="num">Time</th>
            <th scope="col">Compared</th>
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
