// The result at a glance: verdict, warnings, three or four headline numbers.
import { fixed, integer, percent, quoted, range } from "../format.ts";
import { html } from "../html.ts";
import type { Html } from "../html.ts";
import type { Measured, ReportComparison, ReportMetric } from "../metric-data.ts";
import { baseName, comparisonOf, metricOf, valueOf, verdictOf, writerOf } from "../metric-rows.ts";
import { mainModels } from "../models.ts";
import type { Section } from "../parts.ts";
import type { ReportData } from "../report-data.ts";

/** Below it, a classifier is too weak to count with. */
export const trustedAccuracy = 0.95;

/** Verdict, warnings, headline numbers. */
export function resultSection(data: ReportData): Section {
  const headline = cards(data);
  const body = html`
    <p class="verdict">${verdict(data)}</p>
    ${banners(data)}
    ${
      headline.length > 0 &&
      html`<ul class="cards n${headline.length}">
        ${headline.map((content) => html`<li class="card stat">${content}</li>`)}
      </ul>`
    }
  `;
  return { id: "result", title: "Result", body };
}

/** One or two sentences that say no more than the numbers do. */
export function verdict(data: ReportData): string {
  const { base, guided } = mainModels(data);
  const before = valueOf(data, "bias", base);
  const after = valueOf(data, "bias", guided);
  if (data.outcome === "no-second-population") {
    if (before && missed(before))
      return `No second population was found, yet the measured bias of the base model is ${fixed(before.value)}: this method has missed it.`;
    const bias = before ? ` The measured bias of the base model is ${fixed(before.value)}.` : "";
    return `No second population was found: nothing in these images points to an unlabelled bias of this kind.${bias}`;
  }
  if (!data.outcome) return comparisonVerdict(data, before, after);
  if (before && after)
    return `${change(before, after, comparisonOf(data, "bias", guided))}, ${data.groupsFromLabels ? "with the true labels as groups" : `with no label of the ${data.attribute?.name ?? "attribute"} used`}.`;
  if (before) return `The base model has a bias of ${fixed(before.value)}. No guidance module was trained.`;
  const trained = guided ? " A guidance module was trained that treats them alike." : "";
  return `The training images fall into groups that the base model has not learned equally well.${trained}`;
}

/** Finished samples are compared; nothing is said of how the models came about. */
function comparisonVerdict(
  data: ReportData,
  before: Measured | undefined,
  after: Measured | undefined,
): string {
  const { base, guided } = mainModels(data);
  const { length: count } = data.models;
  if (before && after && count === 2)
    return `${change(before, after, comparisonOf(data, "bias", guided))}, from ${quoted(base!.label)} to ${quoted(guided!.label)}.`;
  const ranked = data.models
    .flatMap((model) => {
      const value = valueOf(data, "bias", model)?.value;
      return value === undefined ? [] : [{ model, value }];
    })
    .sort((a, b) => a.value - b.value);
  const least = ranked[0];
  if (!least) return count === 1 ? "One model, measured." : `${count} models, compared on the same prompts.`;
  if (count === 1) return `The bias of ${quoted(least.model.label)} is ${fixed(least.value)}.`;
  const rest =
    before && least.model !== base
      ? `; ${baseName(data)} has ${fixed(before.value)}`
      : ", less than all others";
  return `Of ${count} models, ${quoted(least.model.label)} shows the least bias: ${fixed(least.value)}${rest}.`;
}

/** A clearly biased base model. */
function missed({ value, interval }: Measured): boolean {
  return (interval?.[0] ?? value) > 0.15;
}

function change(before: Measured, after: Measured, comparison: ReportComparison | undefined): string {
  const numbers = `from ${fixed(before.value)} to ${fixed(after.value)}`;
  const direction = after.value < before.value ? "fell" : "rose";
  if (comparison?.pValue !== undefined)
    return verdictOf({ better: "lower" }, comparison) === "unclear"
      ? `The bias went ${numbers}, no clear difference`
      : `The bias ${direction} ${numbers}`;
  if (!before.interval || !after.interval) return `The bias went ${numbers}`;
  if (after.interval[1] < before.interval[0]) return `The bias fell ${numbers}`;
  if (after.interval[0] > before.interval[1]) return `The bias rose ${numbers}`;
  return `The bias went ${numbers} (the intervals overlap)`;
}

function banners(data: ReportData): Html {
  const bias = valueOf(data, "bias", mainModels(data).base);
  const weak = data.classifiers.filter((classifier) => classifier.accuracy.value < trustedAccuracy);
  return html`
    ${
      data.outcome === "no-second-population" &&
      !(bias && missed(bias)) &&
      html`<div class="banner">
        <strong>No unlabelled bias of this kind</strong>
        <p>
          Under the base model, the losses of the images of each caption form one population, not two. That is
          a result, not a failure: this method has nothing to remove here. It cannot rule out a bias that
          leaves no trace in the losses.
        </p>
      </div>`
    }
    ${
      weak.length > 0 &&
      html`<div class="banner warn">
        <strong>The measured numbers cannot be trusted</strong>
        <ul>
          ${weak.map(
            ({ name, accuracy }) =>
              html`<li>
                The classifier for the ${name} is right for only ${percent(accuracy.value)} of held-out images
                (at least ${percent(trustedAccuracy)} needed).
              </li>`,
          )}
        </ul>
      </div>`
    }
    ${
      data.warnings.length > 0 &&
      html`<div class="banner warn">
        <strong>${data.warnings.length === 1 ? "Warning" : "Warnings"}</strong>
        <ul>
          ${data.warnings.map((warning) => html`<li>${warning}</li>`)}
        </ul>
      </div>`
    }
  `;
}

function cards(data: ReportData): Html[] {
  // With several models beside the base the table says it better.
  const { guided } = mainModels(data);
  if (!guided && data.models.length > 1) return [groupCard(data)].filter((card) => card !== undefined);
  const attribute = data.attribute?.name ?? "value";
  const images = data.imagesPerPrompt
    ? ` Measured on ${integer(data.imagesPerPrompt)} images per prompt.`
    : "";
  const distance = ({ reference, featureSpace }: ReportMetric) =>
    `Distance to ${reference ?? data.fidReference ?? "real images"}, lower is better.${
      featureSpace ? ` Feature space: ${featureSpace}.` : ""
    }`;
  const all: (Html | undefined)[] = [
    statCard(data, ["bias"], () => `0: every ${attribute} equally often; 1: always the same.${images}`),
    statCard(data, ["promptAccuracy", "clipT"], ({ what }) => what),
    statCard(data, ["fid", "kid"], distance),
    groupCard(data),
  ];
  return all.filter((card) => card !== undefined);
}

/** Before and after of the first of some metrics that was measured. */
function statCard(
  data: ReportData,
  keys: readonly string[],
  note: (metric: ReportMetric) => string,
): Html | undefined {
  const { base, guided } = mainModels(data);
  const metric = keys.map((key) => metricOf(data, key)).find((row) => row);
  if (!metric) return undefined;
  const [before, after] = [valueOf(data, metric.key, base), valueOf(data, metric.key, guided)];
  const write = writerOf(metric);
  if (!before && !after) return undefined;
  const row = (name: string, value: Measured | undefined) =>
    value?.interval &&
    html`<dt>${name}</dt>
      <dd>${range(value.interval, write)}</dd>`;
  const hasIntervals = before?.interval ?? after?.interval;
  return html`<h3>${metric.label}</h3>
    <p class="numbers">
      ${before && html`<span class="big base">${write(before.value)}</span>`}
      ${
        before &&
        after &&
        html`<span class="arrow" role="img" aria-label="before guidance, after guidance:">→</span>`
      }
      ${after && html`<span class="big guided">${write(after.value)}</span>`}
    </p>
    ${
      hasIntervals &&
      html`<p>95 % intervals</p>
        <dl>
          ${row(base!.key === "base" ? "base" : base!.label, before)}${guided && row(guided.key === "guided" ? "guided" : guided.label, after)}
        </dl>`
    }
    <p>${note(metric)}</p>`;
}

function groupCard(data: ReportData): Html | undefined {
  const auc = data.groups?.agreement?.auc;
  if (data.outcome === "no-second-population") return undefined;
  if (data.groupsFromLabels) return undefined;
  if (auc !== undefined)
    return html`<h3>Groups found (AUC)</h3>
      <p class="numbers"><span class="big">${fixed(auc, 3)}</span></p>
      <p>How well the groups single out the rare images. 1: perfectly; 0.5: chance.</p>`;
  const found = [data.groups?.overall ?? [], ...(data.groups?.captions.map(({ groups }) => groups) ?? [])];
  const count = Math.max(...found.map(({ length }) => length));
  if (count === 0) return undefined;
  return html`<h3>Groups found</h3>
    <p class="numbers"><span class="big">${count}</span></p>
    <p>per caption, without labels, from the losses of the base model.</p>`;
}
