// Whether the numbers can be trusted: how well the classifiers that read the images do on real images with known labels.
import { fixed, integer, percent, percent1 } from "../format.ts";
import { html } from "../html.ts";
import type { Html } from "../html.ts";
import { cell, table } from "../parts.ts";
import type { Section } from "../parts.ts";
import type { ReportClassifier, ReportData } from "../report-data.ts";
import { trustedAccuracy } from "./result.ts";

/** Classifiers and their mistakes. */
export function classifiersSection(data: ReportData): Section | undefined {
  const { classifiers } = data;
  if (classifiers.length === 0) return undefined;
  const weak = classifiers.some(({ accuracy }) => accuracy.value < trustedAccuracy);
  const columns = (["precision", "recall", "f1", "auc"] as const).filter((name) =>
    classifiers.some(({ metrics }) => metrics?.[name] !== undefined),
  );
  const names = { precision: "Precision", recall: "Recall", f1: "F1", auc: "AUC" };
  const body = html`
    <p>
      The numbers are as good as the classifiers that read the images. On real images that the classifiers
      never saw:
      ${
        weak
          ? html`<strong
              >at least one is below ${percent(trustedAccuracy)}, so the numbers that rest on it cannot be
              trusted.</strong
            >`
          : html`all are right for at least ${percent(trustedAccuracy)}.`
      }
    </p>
    ${table(
      "Classifiers, on held-out real images",
      ["Recognises", "Accuracy", ...columns.map((name) => names[name]), "Images"],
      classifiers.map(({ name, architecture, accuracy, metrics, heldOutImages }) => [
        architecture ? html`${name} <span class="muted small">(${architecture})</span>` : name,
        cell(accuracy, percent1),
        ...columns.map((column) => {
          const value = metrics?.[column];
          return value === undefined ? "\u2013" : fixed(value, 3);
        }),
        integer(heldOutImages),
      ]),
    )}
    ${
      columns.length > 0 &&
      html`<p class="small">
        Precision, recall and F1 are averages over the values, each value counting the same. AUC is 1 when the
        right answer always scores highest and 0.5 when the classifier guesses.
      </p>`
    }
    ${classifiers.map((classifier) => confusion(classifier))}
  `;
  return { id: "classifiers", title: "Can these numbers be trusted?", short: "Classifiers", body };
}

/** What the classifier takes for what; the darker, the larger the share of the row. */
function confusion({ name, confusion: matrix }: ReportClassifier): Html | undefined {
  if (!matrix) return undefined;
  const { values, counts } = matrix;
  const title = `What the classifier for the ${name} takes for what`;
  return html`<div class="scroll confusion" role="region" aria-label="${title}" tabindex="0">
    <table>
      <caption>
        <span>${title}</span>
      </caption>
      <thead>
        <tr>
          <th scope="col">Truth ↓, read as →</th>
          ${values.map((value) => html`<th scope="col" class="num">${value}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${values.map((value, truth) => {
          const row = counts[truth] ?? [];
          const total = row.reduce((sum, count) => sum + count, 0);
          return html`<tr>
            <th scope="row">${value}</th>
            ${values.map((_, v) => {
              const share = total > 0 ? (row[v] ?? 0) / total : 0;
              return html`<td class="num ${v === truth && "right"}" style="--shade:${share.toFixed(3)}">
                ${integer(row[v] ?? 0)} <span class="range">${percent1(share)}</span>
              </td>`;
            })}
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}
