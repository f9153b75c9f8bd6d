// The groups that were inferred without labels: how, what they look like, and (evaluation only) how they line up.
import { profileChart } from "../chart-lines.ts";
import type { ChartDrawer } from "../charts.ts";
import { fixed, integer, percent1, quoted } from "../format.ts";
import { html } from "../html.ts";
import type { Html } from "../html.ts";
import { captionInk } from "../palette.ts";
import { swatch, table, tiles } from "../parts.ts";
import type { Section } from "../parts.ts";
import type { ReportData, ReportGroups } from "../report-data.ts";

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
    ${data.groups && html`<p class="muted">${data.groups.method}</p>`}
    ${data.groups && galleries(data.groups)} ${data.groups && agreement(data, data.groups)}
    ${profile(data, drawer)}
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

function galleries(groups: ReportGroups): Html {
  return html`${groups.captions.map(
    (caption) =>
      html`<figure class="card">
        <figcaption>${quoted(caption.caption)}: the most typical training images of each group</figcaption>
        <div class="galleries">
          ${caption.groups.map(
            (group) =>
              html`<div>
                <p class="label">
                  <span>${group.label}</span>
                  <span class="count">${integer(group.size)} ${group.size === 1 ? "image" : "images"}</span>
                </p>
                ${tiles(group.images, "flow")}
              </div>`,
          )}
        </div>
      </figure>`,
  )}`;
}

function agreement(data: ReportData, groups: ReportGroups): Html | undefined {
  const { attribute } = data;
  if (!attribute) return undefined;
  const rows = groups.captions.flatMap((caption) =>
    caption.groups.flatMap((group) =>
      group.shares
        ? [
            [
              `${quoted(caption.caption)}, ${group.label}`,
              integer(group.size),
              ...attribute.values.map((_, v) => percent1(group.shares?.[v] ?? 0)),
            ],
          ]
        : [],
    ),
  );
  const { auc, precision, recall, purity } = groups.agreement ?? {};
  const scores: [string, number | undefined, string][] = [
    ["AUC", auc, "1: the score puts every rare image above every usual one; 0.5: chance"],
    ["Precision", precision, "of the images in the small groups, how many are rare ones"],
    ["Recall", recall, "of the rare images, how many are in the small groups"],
    ["Purity", purity, "images of the kind, usual or rare for their caption, that their group mostly holds"],
  ];
  const shown = scores.filter(([, value]) => value !== undefined);
  if (rows.length === 0 && shown.length === 0) return undefined;
  return html`<h3>Do the groups match the ${attribute.name}? <span class="badge">evaluation only</span></h3>
    <p>
      ${!data.groupsFromLabels && html`The training never saw the ${attribute.name} of an image.`} Here,
      afterwards, the true values are laid beside the groups.
    </p>
    ${rows.length > 0 && table(`Share of each ${attribute.name} in each group`, ["Group", "Images", ...attribute.values], rows)}
    ${
      shown.length > 0 &&
      table(
        "Agreement in numbers",
        ["Score", "Value", "Meaning"],
        shown.map(([name, value, meaning]) => [name, fixed(value!, 3), meaning]),
        { text: 2 },
      )
    }
    ${agreementByAttribute(groups)}`;
}

/** Several hidden attributes: how well the groups tell each of them, and what each group holds. */
function agreementByAttribute({ agreementByAttribute: attributes, combinations }: ReportGroups): Html {
  return html`${
    attributes &&
    table(
      "Agreement with each attribute",
      ["Attribute", "AUC", "Precision", "Recall"],
      attributes.map(({ attribute, auc, precision, recall }) => [
        attribute,
        ...[auc, precision, recall].map((value) => fixed(value, 3)),
      ]),
    )
  }
  ${
    combinations &&
    table(
      "Images of each group by what is rare about them for their caption",
      ["Group", ...combinations.names],
      combinations.counts.map((row, g) => [`Group ${g + 1}`, ...row.map(integer)]),
    )
  }`;
}

function profile(data: ReportData, drawer: ChartDrawer): Html | undefined {
  if (!data.profile) return undefined;
  return html`<h3>Where the losses part</h3>
    <figure class="card">
      <ul class="legend">
        ${data.profile.series.map((series, s) => html`<li>${swatch(captionInk(s))}${series.label}</li>`)}
      </ul>
      ${drawer.draw(profileChart(data.profile))}
      <figcaption>
        Bimodality coefficient of the images' losses at each timestep, computed without labels. Above the
        dashed line (5/9) the losses fall into two populations rather than one.
      </figcaption>
    </figure>`;
}
