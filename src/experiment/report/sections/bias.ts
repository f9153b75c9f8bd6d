// The Bias in numbers: bars with intervals and the table behind them; or why there are none.
import { biasChart, biasRows } from "../chart-bias.ts";
import type { ChartDrawer } from "../charts.ts";
import { fixed, integer, percent, percent1, quoted } from "../format.ts";
import { html } from "../html.ts";
import { cell, modelLegend, table } from "../parts.ts";
import type { Section } from "../parts.ts";
import type { ReportData } from "../report-data.ts";
import { fidText, trustedAccuracy } from "./result.ts";

/** Bias section. */
export function biasSection(data: ReportData, drawer: ChartDrawer): Section {
  const head = { id: "bias", title: "Bias, measured", short: "Bias" };
  const measuredModels = data.models.filter((model) => model.bias);
  if (!data.attribute || measuredModels.length === 0) {
    const body = html`<div class="banner">
        <strong>Not measured: there are no labels</strong>
        <p>
          Bias says how unevenly an attribute's values are generated. Which attribute that is, and which value
          an image has, only labels can say, and this data set has none. Look at the groups and the samples
          below and judge by eye: what do the images of one group share that the captions do not mention, and
          does it change from base to guided?
        </p>
      </div>
      ${otherNumbers(data)}`;
    return { ...head, body };
  }
  const rows = biasRows(
    measuredModels,
    data.prompts.map(({ prompt }) => quoted(prompt)),
  );
  const labels = measuredModels.map((model) => model.label);
  const body = html`
    <p>
      A classifier looks at every generated image and names its ${data.attribute.name}. Bias is 0 when all
      values (${data.attribute.values.join(", ")}) appear equally often and 1 when only one ever appears.
    </p>
    <figure class="card">
      ${modelLegend(measuredModels)}${drawer.draw(biasChart(measuredModels, rows))}
      <figcaption>
        Bars: measured bias. Whiskers: 95 % bootstrap intervals, from redrawing the generated images. A
        whisker of no width means that all images agreed.
      </figcaption>
    </figure>
    ${table(
      "Bias by prompt",
      ["Prompt", ...labels],
      rows.map((row) => [row.name, ...row.values.map((value) => cell(value, fixed))]),
    )}
    ${furtherAttributes(data)} ${otherNumbers(data)} ${descriptions(data)} ${classifierTable(data)}
  `;
  return { ...head, body };
}

/** Bias in the hidden attributes after the first, one row each. */
function furtherAttributes(data: ReportData) {
  const models = data.models.filter((model) => model.furtherBias);
  const names = [...new Set(models.flatMap((model) => model.furtherBias!.map((own) => own.attribute)))];
  if (names.length === 0) return undefined;
  return table(
    "Bias in further attributes, mean over the prompts",
    ["Attribute", ...models.map((model) => model.label)],
    names.map((name) => [
      name,
      ...models.map((model) => cell(model.furtherBias!.find((own) => own.attribute === name)?.bias, fixed)),
    ]),
  );
}

function otherNumbers(data: ReportData) {
  const models = data.models.filter((model) => model.promptAccuracy ?? model.fid);
  if (models.length === 0) return undefined;
  return table(
    "Quality by model",
    ["Model", "Prompt accuracy", "FID"],
    models.map((model) => [model.label, cell(model.promptAccuracy, percent1), cell(model.fid, fidText)]),
  );
}

function descriptions(data: ReportData) {
  const described = data.models.filter((model) => model.description);
  if (described.length === 0) return undefined;
  return html`<ul class="small">
    ${described.map((model) => html`<li><strong>${model.label}:</strong> ${model.description}</li>`)}
  </ul>`;
}

function classifierTable(data: ReportData) {
  if (data.classifiers.length === 0) return undefined;
  const weak = data.classifiers.some(({ accuracy }) => accuracy.value < trustedAccuracy);
  return html`<h3>Can these numbers be trusted?</h3>
    <p>
      They are as good as the classifiers that read the images. On real images that the classifiers never saw:
      ${
        weak
          ? html`<strong
              >at least one is below ${percent(trustedAccuracy)}, so the numbers above cannot be
              trusted.</strong
            >`
          : html`all are right for at least ${percent(trustedAccuracy)}.`
      }
    </p>
    ${table(
      "Classifiers, on held-out real images",
      ["Recognises", "Accuracy", "Images"],
      data.classifiers.map(({ name, accuracy, heldOutImages }) => [
        name,
        cell(accuracy, percent1),
        integer(heldOutImages),
      ]),
    )}`;
}
