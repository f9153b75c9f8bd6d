// Where the losses part: bimodality by noise level, and the mean loss of each group.
import { meanLossChart, profileChart } from "../chart-lines.ts";
import type { ChartDrawer } from "../charts.ts";
import { html } from "../html.ts";
import type { Html } from "../html.ts";
import { captionInk } from "../palette.ts";
import { folded, quote, swatch } from "../parts.ts";
import type { ReportData } from "../report-data.ts";

/** Charts of mean losses that are open from the start. */
const OPEN_CHARTS = 4;

/** The loss profile, as far as it was measured. */
export function profile({ profile: measured }: ReportData, drawer: ChartDrawer): Html | undefined {
  if (!measured) return undefined;
  const { series, meanLosses = [] } = measured;
  const losses = meanLosses.map(
    (entry) =>
      html`<figure class="card">
        <figcaption>
          Mean ${entry.what ?? "loss"} of each
          group${entry.caption !== undefined && html`, ${quote(entry.caption)}`}
        </figcaption>
        ${legend(entry.groups)} ${drawer.draw(meanLossChart(measured, entry))}
      </figure>`,
  );
  const further = losses.slice(OPEN_CHARTS);
  return html`<h3>Where the losses part</h3>
    ${
      series.length > 0 &&
      html`<figure class="card">
        ${legend(series)} ${drawer.draw(profileChart(measured))}
        <figcaption>
          Bimodality coefficient of the images' losses at each timestep, computed without labels. Above the
          dashed line (5/9) the losses fall into two populations rather than one.
        </figcaption>
      </figure>`
    }
    ${
      losses.length > 0 &&
      html`<div class="charts">${losses.slice(0, OPEN_CHARTS)}</div>
        <p class="small">
          A group whose line lies higher is harder for the base model: often because it has seen few such
          images.
        </p>`
    }
    ${
      further.length > 0 &&
      folded(
        `Mean losses of ${further.length} further ${further.length === 1 ? "caption" : "captions"}`,
        html`<div class="charts">${further}</div>`,
      )
    }`;
}

function legend(entries: readonly { readonly label: string }[]): Html {
  return html`<ul class="legend">
    ${entries.map(({ label }, i) => html`<li>${swatch(captionInk(i))}<bdi>${label}</bdi></li>`)}
  </ul>`;
}
