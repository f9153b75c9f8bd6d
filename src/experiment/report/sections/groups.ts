// The groups that were inferred without labels: how, what they look like, what differs between them.
import type { ChartDrawer } from "../charts.ts";
import { integer } from "../format.ts";
import type { GroupDifference, ReportGroup, ReportGroups } from "../group-data.ts";
import { html } from "../html.ts";
import type { Html } from "../html.ts";
import { folded, quote, tiles } from "../parts.ts";
import type { Section } from "../parts.ts";
import type { ReportData } from "../report-data.ts";
import { agreement } from "./agreement.ts";
import { differenceTable } from "./differences.ts";
import { profile } from "./profile.ts";

/** Captions that are open from the start. */
const OPEN_CAPTIONS = 4;

/** Inferred groups and the loss profile. */
export function groupsSection(data: ReportData, drawer: ChartDrawer): Section | undefined {
  if (!data.groups && !data.profile) return undefined;
  const none = data.outcome === "no-second-population";
  const body = html`
    ${
      none
        ? html`<p>
            InvDiff looked for images that the base model has learned less well than others with the same
            caption, and found one population only. There are no groups to treat differently.
          </p>`
        : data.groupsFromLabels
          ? html`<p>The groups of this comparison run are the true labels; nothing was inferred.</p>`
          : html`<p>
              Images of a rare kind are harder for the base model than others with the same caption. InvDiff
              measures every training image's loss and splits each caption's images where the losses part.
            </p>`
    }
    ${data.groups && html`<p class="muted">${data.groups.method}</p>`} ${data.groups && gallery(data.groups)}
    ${data.groups && agreement(data, data.groups)} ${profile(data, drawer)}
  `;
  return {
    id: "groups",
    title: none
      ? "No groups found"
      : data.groupsFromLabels
        ? "Groups from true labels"
        : "Groups found without labels",
    short: "Groups",
    body,
  };
}

function gallery({ overall, captions }: ReportGroups): Html {
  const cards = captions.map(({ caption, groups }) =>
    card(html`${quote(caption)}: the most typical training images of each group`, groups),
  );
  const further = cards.slice(OPEN_CAPTIONS);
  const all = [...(overall ?? []), ...captions.flatMap(({ groups }) => groups)];
  return html`
    ${all.some(({ differences }) => differences) && differencesNote(all.flatMap((group) => group.differences ?? []))}
    ${overall && card("All captions together: the most typical training images of each group", overall)}
    ${cards.slice(0, OPEN_CAPTIONS)}
    ${
      further.length > 0 &&
      folded(`${further.length} further ${further.length === 1 ? "caption" : "captions"}`, further)
    }
  `;
}

/** Said once, above the tables. */
function differencesNote(all: readonly GroupDifference[]): Html {
  return html`<p>
    Under each group: what is more frequent in it than in all groups together, by captions and metadata. Lift
    is how many times as frequent. Only differences beyond chance are listed.
    ${
      all.some(({ kind }) => kind === "column") &&
      html`The metadata were read afterwards, for this report only.
        <span class="badge">evaluation only</span>`
    }
  </p>`;
}

function card(title: Html | string, groups: readonly ReportGroup[]): Html {
  return html`<figure class="card">
    <figcaption>${title}</figcaption>
    <div class="galleries">
      ${groups.map(
        (group) =>
          html`<div>
            <p class="label">
              <span>${group.label}</span>
              <span class="count">${integer(group.size)} ${group.size === 1 ? "image" : "images"}</span>
            </p>
            ${group.images.length > 0 && tiles(group.images, "flow")}
            ${group.differences && differenceTable(group.label, group.differences)}
          </div>`,
      )}
    </div>
  </figure>`;
}
