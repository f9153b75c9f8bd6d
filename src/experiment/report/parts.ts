// Pieces that several sections share: tiles of images, strips of shares, tables, legends.
import { html, imageUri } from "./html.ts";
import type { Html, HtmlValue } from "./html.ts";
import { measured, percent } from "./format.ts";
import type { Measured } from "./metric-data.ts";
import { colourOf } from "./models.ts";
import { valueInk } from "./palette.ts";
import type { Ink } from "./palette.ts";
import type { ImageGrid, ReportData, ReportImage, ReportModel } from "./report-data.ts";

/** A part of the page with its own heading and its entry in the contents. */
export interface Section {
  id: string;
  title: string;
  /** Shorter title for the contents; default `title`. */
  short?: string;
  body: Html;
}

/** Images in a grid; `columns` "flow" fits as many as there is room for. */
export function tiles(images: readonly ReportImage[], columns: number | "flow" = 4): Html {
  const fixedColumns = columns === "flow" ? undefined : Math.min(columns, images.length);
  const kind = images.length === 1 ? "tiles single" : columns === "flow" ? "tiles flow" : "tiles";
  return html`<ul class="${kind}" ${fixedColumns && html`style="--columns:${fixedColumns}"`}>
    ${images.map(
      (image) =>
        html`<li>
          <img src="${imageUri(image.bytes)}" alt="${image.alt}" />${
            image.tag && html`<span class="tag">${image.tag}</span>`
          }
        </li>`,
    )}
  </ul>`;
}

/** Labelled tiles side by side. */
export function grids(all: readonly ImageGrid[], colourOfGrid: (grid: ImageGrid) => Ink | undefined): Html {
  return html`<div class="pair">
    ${all.map((grid) => {
      const colour = colourOfGrid(grid);
      return html`<div>
        <p class="label"><span>${colour && swatch(colour)}${grid.label}</span></p>
        ${tiles(grid.images)}${grid.note && html`<p class="small">${grid.note}</p>`}
      </div>`;
    })}
  </div>`;
}

/** A small coloured square; the text beside it says the same. */
export function swatch(colour: Ink): Html {
  return html`<span class="swatch" style="--swatch:var(--c-${colour})" aria-hidden="true"></span>`;
}

/** A strip of shares with its values in words. */
export function shareStrip(values: readonly string[], shares: readonly number[], title?: string): Html {
  return html`<div class="shares">
    ${title && html`<p class="small" style="margin:0 0 .3rem">${title}</p>`}
    <div class="strip" aria-hidden="true">
      ${shares.map(
        (share, v) =>
          share > 0 &&
          html`<span style="--swatch:var(--c-${valueInk(v)});flex:${Number(share.toFixed(4))} 0 0"></span>`,
      )}
    </div>
    <ul>
      ${values.map((value, v) => html`<li>${swatch(valueInk(v))}${value} ${percent(shares[v] ?? 0)}</li>`)}
    </ul>
  </div>`;
}

/** A text of the user's in quotation marks; written from right to left where its letters are. */
export function quote(text: string): Html {
  return html`“<bdi>${text}</bdi>”`;
}

/** A part that is folded away until it is asked for. */
export function folded(summary: HtmlValue, body: HtmlValue): Html {
  return html`<details>
    <summary>${summary}</summary>
    ${body}
  </details>`;
}

/** Text as it stands, such as commands, in a box that scrolls. */
export function codeBlock(label: string, text: string): Html {
  return html`<pre role="region" aria-label="${label}" tabindex="0"><code>${text}</code></pre>`;
}

/** A table that scrolls inside its container on small screens; `text` names a column of words instead of numbers. */
export function table(
  caption: string,
  head: readonly HtmlValue[],
  rows: readonly (readonly HtmlValue[])[],
  { text }: { text?: number } = {},
): Html {
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0">
    <table ${head.length > 4 && html`class="many"`}>
      <caption>
        <span>${caption}</span>
      </caption>
      <thead>
        <tr>
          ${head.map((cell, i) => html`<th scope="col" ${i > 0 && i !== text && html` class="num"`}>${cell}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([first, ...rest]) =>
            html`<tr>
              <th scope="row">${first}</th>
              ${rest.map((cell, i) => html`<td class="${i + 1 === text ? "text" : "num"}">${cell}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** A number with its interval for a table cell; a dash when it was not measured. */
export function cell(value: Measured | undefined, write: (value: number) => string): Html {
  if (!value) return html`<span title="not measured">–</span>`;
  if (!value.interval) return html`${write(value.value)}`;
  const text = measured(value, write);
  const at = text.indexOf(" (");
  return html`${text.slice(0, at)} <span class="range">${text.slice(at + 1)}</span>`;
}

/** Names and colours of models. */
export function modelLegend(data: ReportData, models: readonly ReportModel[]): Html {
  return html`<ul class="legend">
    ${models.map((model) => html`<li>${swatch(colourOf(data, model))}<bdi>${model.label}</bdi></li>`)}
  </ul>`;
}
