// What the models draw: before and after side by side, and the clearest and least clear samples.
import { html } from "../html.ts";
import type { Html } from "../html.ts";
import { colourOf, mainModels, modelOf } from "../models.ts";
import { folded, grids, quote, shareStrip, swatch, tiles } from "../parts.ts";
import type { Section } from "../parts.ts";
import type { ImageGrid, ReportData, ReportSamples } from "../report-data.ts";

/** Prompts that are open from the start. */
const OPEN_PROMPTS = 4;

/** Samples of every model for every prompt. */
export function samplesSection(data: ReportData): Section | undefined {
  if (data.samples.length === 0) return undefined;
  const open = data.samples.slice(0, OPEN_PROMPTS);
  const further = data.samples.slice(OPEN_PROMPTS);
  const { guided } = mainModels(data);
  const body = html`
    <p>
      ${
        data.models.length > 1
          ? "All models start from the same noise: images at the same place have the same seed, and none was picked by hand."
          : "None of the images was picked by hand."
      }${data.attribute && ` Under each image: the ${data.attribute.name} that the classifier sees.`}
    </p>
    ${open.map((samples) => promptCard(data, samples))}
    ${
      further.length > 0 &&
      folded(
        `Samples of ${further.length} further ${further.length === 1 ? "prompt" : "prompts"}`,
        further.map((samples) => promptCard(data, samples)),
      )
    }
  `;
  return { id: "samples", title: guided ? "Before and after" : "Samples", body };
}

function promptCard(data: ReportData, samples: ReportSamples): Html {
  const { base, guided } = mainModels(data);
  const first = samples.grids.filter((grid) => {
    const model = modelOf(data, grid);
    return model && (model === base || model === guided);
  });
  const shown = first.length > 0 ? first : samples.grids.slice(0, 2);
  const others = samples.grids.filter((grid) => !shown.includes(grid));
  return html`<figure class="card">
    <figcaption>${quote(samples.prompt)}</figcaption>
    ${side(data, samples, shown)}
    ${
      others.length > 0 &&
      folded(
        `${others.length} ${others.length === 1 ? "other model" : "other models"} for this prompt`,
        side(data, samples, others),
      )
    }
  </figure>`;
}

function side(data: ReportData, samples: ReportSamples, shown: readonly ImageGrid[]): Html {
  const p = data.prompts.findIndex((entry) => entry.prompt === samples.prompt);
  return html`<div class="${shown.length === 4 ? "pair two" : "pair"}">
    ${shown.map((grid) => {
      const model = modelOf(data, grid);
      const shares = data.attribute && model?.sharesPerPrompt?.[p];
      return html`<div>
        <p class="label">
          <span>${model && swatch(colourOf(data, model))}<bdi>${grid.label}</bdi></span>
        </p>
        ${tiles(grid.images)}${grid.note && html`<p class="small">${grid.note}</p>`}
        ${shares && shareStrip(data.attribute!.values, shares, "Of all images generated for this prompt:")}
      </div>`;
    })}
  </div>`;
}

/** Clearest and least clear samples. */
export function extremesSection(data: ReportData): Section | undefined {
  if (!data.extremes || data.extremes.length === 0) return undefined;
  const cards = data.extremes.map(
    (entry) =>
      html`<figure class="card">
        <figcaption>${entry.title}</figcaption>
        <p class="small">${entry.note}</p>
        ${grids(entry.grids, (grid) => {
          const model = modelOf(data, grid);
          return model && colourOf(data, model);
        })}
      </figure>`,
  );
  const further = cards.slice(OPEN_PROMPTS);
  const body = html`${cards.slice(0, OPEN_PROMPTS)}
  ${further.length > 0 && folded(`${further.length} more`, further)}`;
  return { id: "extremes", title: "Best and worst samples", body };
}
