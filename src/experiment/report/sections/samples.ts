// What the models draw: before and after side by side, and the clearest and least clear samples.
import { quoted } from "../format.ts";
import { html } from "../html.ts";
import { colourOf, grids, shareStrip, tiles } from "../parts.ts";
import type { Section } from "../parts.ts";
import type { ReportData, ReportSamples } from "../report-data.ts";

/** Samples of every model for every prompt. */
export function samplesSection(data: ReportData): Section | undefined {
  if (data.samples.length === 0) return undefined;
  const body = html`
    <p>
      All models start from the same noise: images at the same place have the same seed, and none was picked
      by hand.${data.attribute && ` Under each image: the ${data.attribute.name} that the classifier sees.`}
    </p>
    ${data.samples.map(
      (samples) =>
        html`<figure class="card">
          <figcaption>${quoted(samples.prompt)}</figcaption>
          ${samplePair(data, samples)}
        </figure>`,
    )}
  `;
  return { id: "samples", title: "Before and after", body };
}

function samplePair(data: ReportData, samples: ReportSamples) {
  const p = data.prompts.findIndex((entry) => entry.prompt === samples.prompt);
  return html`<div class="pair">
    ${samples.grids.map((grid) => {
      const model = data.models.find((entry) => entry.label === grid.label);
      const shares = data.attribute && model?.sharesPerPrompt?.[p];
      const swatchColour = model && colourOf(data.models, model);
      return html`<div>
        <p class="label">
          <span
            >${
              swatchColour &&
              html`<span class="swatch" style="--swatch:var(--c-${swatchColour})" aria-hidden="true"></span>`
            }${grid.label}</span
          >
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
  const colour = (label: string) => {
    const model = data.models.find((entry) => entry.label === label);
    return model && colourOf(data.models, model);
  };
  const body = html`${data.extremes.map(
    (entry) =>
      html`<figure class="card">
        <figcaption>${entry.title}</figcaption>
        <p class="small">${entry.note}</p>
        ${grids(entry.grids, colour)}
      </figure>`,
  )}`;
  return { id: "extremes", title: "Best and worst samples", body };
}
