// How the inferred groups line up with the hidden attribute: looked at afterwards, for the report only.
import { fixed, integer, percent1 } from "../format.ts";
import type { ReportGroups } from "../group-data.ts";
import { html } from "../html.ts";
import type { Html } from "../html.ts";
import { quote, table } from "../parts.ts";
import type { ReportData } from "../report-data.ts";

/** Shares of the attribute's values in each group, and the agreement in numbers. */
export function agreement(data: ReportData, groups: ReportGroups): Html | undefined {
  const { attribute } = data;
  if (!attribute) return undefined;
  const named = [
    ...(groups.overall ?? []).map((group) => ({ name: html`All captions, ${group.label}`, group })),
    ...groups.captions.flatMap(({ caption, groups: own }) =>
      own.map((group) => ({ name: html`${quote(caption)}, ${group.label}`, group })),
    ),
  ];
  const rows = named.flatMap(({ name, group: { size, shares } }) =>
    shares ? [[name, integer(size), ...attribute.values.map((_, v) => percent1(shares[v] ?? 0))]] : [],
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
    ${byAttribute(groups)}`;
}

/** Several hidden attributes: how well the groups tell each of them, and what each group holds. */
function byAttribute({ agreementByAttribute: attributes, combinations }: ReportGroups): Html {
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
