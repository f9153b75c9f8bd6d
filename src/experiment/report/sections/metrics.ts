// The metric table: one row per metric, one column per model, and what the differences to the base mean.
import { integer, list, range } from "../format.ts";
import { html } from "../html.ts";
import type { Html } from "../html.ts";
import type { ReportMetric } from "../metric-data.ts";
import {
  baseName,
  betterWords,
  comparisonCount,
  comparisonWords,
  differenceWriterOf,
  metricRows,
  pValueText,
  verdictOf,
  writerOf,
} from "../metric-rows.ts";
import { baseOf, colourOf } from "../models.ts";
import { cell, codeBlock, folded, quote, swatch, table } from "../parts.ts";
import type { Section } from "../parts.ts";
import type { ReportData } from "../report-data.ts";

const signs = { better: "\u2713", worse: "\u2717", higher: "\u2191", lower: "\u2193", unclear: "\u2248" };

/** Every metric of every model. */
export function metricsSection(data: ReportData): Section | undefined {
  const rows = metricRows(data);
  if (rows.length === 0 || data.models.length === 0) return undefined;
  const shown = rows.filter((row) => !row.skipped);
  const body = html`
    ${shown.length > 0 && html`${note(data)} ${metricTable(data, shown)} ${references(shown)}`}
    ${differences(data, shown)} ${perPrompt(data, shown)} ${skipped(rows)} ${descriptions(data)}
  `;
  return { id: "metrics", title: "Every metric", short: "Metrics", body };
}

function note(data: ReportData): Html {
  const compared = comparisonCount(data);
  return html`<p>
    Ranges are 95 % intervals.
    ${
      compared > 0 &&
      html`The last line of a number compares the model with <bdi>${baseName(data)}</bdi> on images of the
        same seeds: ${signs.better} better and ${signs.worse} worse mean a difference beyond chance,
        ${signs.unclear} no clear difference. Of ${integer(compared)} comparisons, about one in twenty would
        look clear by chance alone.`
    }
  </p>`;
}

/** What the images are compared with, once for all metrics that share it. */
function references(rows: readonly ReportMetric[]): Html | undefined {
  const all = [...new Set(rows.flatMap(({ reference }) => reference ?? []))];
  if (all.length === 0) return undefined;
  return html`<p class="small">
    ${all.map((reference) => {
      const labels = rows.filter((row) => row.reference === reference).map(({ label }) => label);
      return html`${list(labels)}: compared with ${reference}. `;
    })}
  </p>`;
}

/** On phones the rows turn into cards; the roles keep it a table for screen readers then. */
function metricTable(data: ReportData, rows: readonly ReportMetric[]): Html {
  const base = baseOf(data);
  return html`<div class="scroll metrics" role="region" aria-label="Metrics by model" tabindex="0">
    <table role="table">
      <caption>
        <span>Metrics by model</span>
      </caption>
      <thead role="rowgroup">
        <tr role="row">
          <th scope="col" role="columnheader">Metric</th>
          ${data.models.map(
            (model) =>
              html`<th scope="col" role="columnheader" class="num">
                ${swatch(colourOf(data, model))}<bdi>${model.label}</bdi>
              </th>`,
          )}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${rows.map(
          (row) =>
            html`<tr role="row">
              <th scope="row" role="rowheader">${rowHead(row)}</th>
              ${data.models.map(
                (model, m) =>
                  html`<td role="cell" class="num" data-label="${model.label}">
                    ${metricCell(row, m, model === base)}
                  </td>`,
              )}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function rowHead(metric: ReportMetric): Html {
  const arrow = metric.better === "lower" ? "\u2193" : "\u2191";
  return html`<span class="name">${metric.label}</span>
    ${metric.better && html`<span class="better"><span aria-hidden="true">${arrow}</span> ${betterWords(metric)}</span>`}
    <span class="what">${metric.what}</span>
    ${metric.featureSpace && html`<span class="what">Features: ${metric.featureSpace}</span>`}`;
}

function metricCell(metric: ReportMetric, index: number, isBase: boolean): Html {
  const value = metric.values[index];
  const comparison = metric.comparisons?.[index];
  if (!value) return html`<span class="none">not measured</span>`;
  const write = writerOf(metric);
  const verdict = comparison && verdictOf(metric, comparison);
  return html`<span class="value">${write(value.value)}</span>
    ${value.interval && html`<span class="range">${range(value.interval, write)}</span>`}
    ${
      verdict &&
      !isBase &&
      html`<span class="versus ${verdict}"
        ><span aria-hidden="true">${signs[verdict]}</span>
        ${verdict === "unclear" ? "no clear difference" : verdict}</span
      >`
    }`;
}

/** The differences themselves, with intervals and p-values. */
function differences(data: ReportData, rows: readonly ReportMetric[]): Html | undefined {
  const entries = rows.flatMap((metric) =>
    data.models.flatMap((model, m) => {
      const comparison = metric.comparisons?.[m];
      if (!comparison) return [];
      const { difference, interval, pValue } = comparison;
      const value = interval ? { value: difference, interval } : { value: difference };
      return [
        [
          html`${metric.label}, <bdi>${model.label}</bdi>`,
          cell(value, differenceWriterOf(metric)),
          pValue === undefined ? "\u2013" : pValueText(pValue),
          comparisonWords(metric, comparison),
        ],
      ];
    }),
  );
  if (entries.length === 0) return undefined;
  const base = baseName(data);
  return folded(
    html`Differences to <bdi>${base}</bdi>, with intervals and p-values`,
    html`${table("Differences to the base", ["Metric, model", "Difference", "p-value", "In words"], entries, { text: 3 })}
      <p class="small">
        Model minus <bdi>${base}</bdi>; shares in percentage points. The p-value is the chance of a difference
        at least this large if both models were alike.
      </p>`,
  );
}

function perPrompt(data: ReportData, rows: readonly ReportMetric[]): Html | undefined {
  // The section on bias has its own table.
  const isElsewhere = ({ key }: ReportMetric): boolean =>
    key === "bias" && data.models.some((model) => model.biasPerPrompt);
  const detailed = rows.filter((metric) => metric.perPrompt && !isElsewhere(metric));
  if (detailed.length === 0) return undefined;
  return folded(
    "The same by prompt",
    detailed.map((metric) =>
      table(
        `${metric.label}, prompt by prompt`,
        ["Prompt", ...data.models.map((model) => html`<bdi>${model.label}</bdi>`)],
        data.prompts.map(({ prompt }, p) => [
          quote(prompt),
          ...data.models.map((_, m) => cell(metric.perPrompt?.[p]?.[m], writerOf(metric))),
        ]),
      ),
    ),
  );
}

function skipped(rows: readonly ReportMetric[]): Html | undefined {
  const missing = rows.flatMap((metric) => (metric.skipped ? [{ ...metric, skipped: metric.skipped }] : []));
  if (missing.length === 0) return undefined;
  const commands = [...new Set(missing.flatMap(({ skipped: { command } }) => command ?? []))];
  return html`<h3>Not measured</h3>
    <ul class="skipped">
      ${missing.map(({ label, what, skipped: { reason } }) => html`<li><strong>${label}:</strong> ${reason} <span class="muted">${what}</span></li>`)}
    </ul>
    ${
      commands.length > 0 &&
      html`<p>
          ${commands.length === 1 ? "This command gets" : "These commands get"} what is missing; then evaluate
          again.
        </p>
        ${codeBlock("Commands that get what is missing", commands.join("\n"))}`
    }`;
}

function descriptions(data: ReportData): Html | undefined {
  const described = data.models.filter((model) => model.description);
  if (described.length === 0) return undefined;
  return html`<h3>The models</h3>
    <ul class="small models">
      ${described.map(
        (model) =>
          html`<li>
            <strong><bdi>${model.label}</bdi>:</strong> ${model.description}
          </li>`,
      )}
    </ul>`;
}
