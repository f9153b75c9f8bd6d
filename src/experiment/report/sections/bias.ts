// The Bias in numbers: bars with intervals and the table behind them; or why there are none.
import { biasChart, biasRows } from "../chart-bias.ts";
import type { BiasBars } from "../chart-bias.ts";
import type { ChartDrawer } from "../charts.ts";
import { fixed } from "../format.ts";
import { html } from "../html.ts";
import type { Html } from "../html.ts";
import { mainModels } from "../models.ts";
import { cell, folded, modelLegend, quote, table } from "../parts.ts";
import type { Section } from "../parts.ts";
import type { ReportData, ReportModel } from "../report-data.ts";

/** Prompts with bars of all models; of further ones, bars of base and guided are folded away. */
const SHOWN_PROMPTS = 4;

/** Bias section. */
export function biasSection(data: ReportData, drawer: ChartDrawer): Section {
  const head = { id: "bias", title: "Bias, measured", short: "Bias" };
  const models = data.models.filter((model) => model.bias);
  if (models.length === 0) return { ...head, body: notMeasured(data) };
  const rows = biasRows(data, models);
  const name = data.attribute?.name ?? "attribute";
  const values = data.attribute?.values.join(", ");
  const body = html`
    <p>
      A classifier looks at every generated image and names its ${name}. Bias is 0 when all
      values${values && ` (${values})`} appear equally often and 1 when only one ever appears.
      ${
        data.biasFloor !== undefined &&
        html`Even without any bias, chance makes it ${fixed(data.biasFloor)} on average for this many images:
        the dashed line.`
      }
    </p>
    <figure class="card">
      ${modelLegend(data, models)}${drawer.draw(biasChart(data, { models, rows: rows.slice(0, SHOWN_PROMPTS + 1) }))}
      <figcaption>
        Bars: measured bias. Whiskers: 95 % bootstrap intervals, from redrawing the generated images. A
        whisker of no width means that all images agreed.
      </figcaption>
    </figure>
    ${furtherPrompts(data, { models, rows }, drawer)} ${promptTable({ models, rows })}
    ${waysOfCounting(data, models)} ${furtherAttributes(data)}
  `;
  return { ...head, body };
}

function notMeasured(data: ReportData): Html {
  const compared = data.groups ? "the groups and the samples" : "the samples";
  return data.attribute
    ? html`<div class="banner">
        <strong>Not measured in this run</strong>
        <p>The ${data.attribute.name} of the generated images was not read by a classifier.</p>
      </div>`
    : html`<div class="banner">
        <strong>Not measured: there are no labels</strong>
        <p>
          Bias says how unevenly an attribute's values are generated. Which attribute that is, and which value
          an image has, only labels can say, and this report was made without any. Look at ${compared} and
          judge by eye: what do images share that the captions do not mention, and does it change between the
          models?
        </p>
      </div>`;
}

function furtherPrompts(data: ReportData, { models, rows }: BiasBars, drawer: ChartDrawer): Html | undefined {
  const further = rows.slice(SHOWN_PROMPTS + 1);
  if (further.length === 0) return undefined;
  const { base, guided } = mainModels(data);
  const main = models.filter((model) => model === base || model === guided);
  const shown = main.length > 0 ? main : models.slice(0, 2);
  const bars = {
    models: shown,
    rows: further.map((row) => ({ ...row, values: shown.map((model) => row.values[models.indexOf(model)]) })),
  };
  return folded(
    `Bars of ${further.length} further ${further.length === 1 ? "prompt" : "prompts"}`,
    html`<figure class="card">${modelLegend(data, shown)}${drawer.draw(biasChart(data, bars))}</figure>`,
  );
}

function promptTable({ models, rows }: BiasBars): Html {
  const content = table(
    "Bias by prompt",
    ["Prompt", ...models.map((model) => html`<bdi>${model.label}</bdi>`)],
    rows.map(({ prompt, values }) => [
      prompt === undefined ? "All prompts" : quote(prompt),
      ...values.map((value) => cell(value, fixed)),
    ]),
  );
  return rows.length > 9 ? folded(`Bias by prompt, ${rows.length - 1} prompts`, content) : content;
}

/** Normalised, corrected and raw Bias beside each other, each with its sentence. */
function waysOfCounting(data: ReportData, models: readonly ReportModel[]): Html | undefined {
  if (!models.some((model) => model.rawBias ?? model.correctedBias)) return undefined;
  const most = data.attribute && 2 / data.attribute.values.length;
  const ways = [
    {
      name: "Bias (normalised)",
      of: (model: ReportModel) => model.bias,
      meaning:
        "From 0, all values equally often, to 1, always the same value. The number used everywhere else.",
    },
    {
      name: "Corrected",
      of: (model: ReportModel) => model.correctedBias,
      meaning:
        "The same after taking out the classifier's mistakes, as they were counted on held-out images. Its interval also holds the uncertainty of that count.",
    },
    {
      name: "Raw, as in the paper",
      of: (model: ReportModel) => model.rawBias,
      meaning: `The mean difference between the shares of two values, not scaled${
        most === undefined
          ? ""
          : `: with ${data.attribute!.values.length} values it cannot exceed ${fixed(most)}`
      }. For comparison with published numbers.`,
    },
  ].filter(({ of }) => models.some(of));
  return html`<h3>Three ways to count the same</h3>
    ${table(
      "Bias over all prompts",
      ["Way of counting", ...models.map((model) => html`<bdi>${model.label}</bdi>`)],
      ways.map(({ name, of }) => [name, ...models.map((model) => cell(of(model), fixed))]),
    )}
    <ul class="small">
      ${ways.map(({ name, meaning }) => html`<li><strong>${name}:</strong> ${meaning}</li>`)}
    </ul>`;
}

/** Bias in the hidden attributes after the first, one row each. */
function furtherAttributes(data: ReportData): Html | undefined {
  const models = data.models.filter((model) => model.furtherBias);
  const names = [...new Set(models.flatMap((model) => model.furtherBias!.map((own) => own.attribute)))];
  if (names.length === 0) return undefined;
  return table(
    "Bias in further attributes, mean over the prompts",
    ["Attribute", ...models.map((model) => html`<bdi>${model.label}</bdi>`)],
    names.map((name) => [
      name,
      ...models.map((model) => cell(model.furtherBias!.find((own) => own.attribute === name)?.bias, fixed)),
    ]),
  );
}
