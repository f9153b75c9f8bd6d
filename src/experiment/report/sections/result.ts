// The result at a glance: verdict, warnings, three or four headline numbers.
import { fixed, integer, percent, percent1, range } from "../format.ts";
import { html } from "../html.ts";
import type { Html } from "../html.ts";
import { mainModels } from "../parts.ts";
import type { Section } from "../parts.ts";
import type { Measured, ReportData } from "../report-data.ts";

/** Below it, a classifier is too weak to count with. */
export const trustedAccuracy = 0.95;

/** Verdict, warnings, headline numbers. */
export function resultSection(data: ReportData): Section {
  const headline = cards(data);
  const body = html`
    <p class="verdict">${verdict(data)}</p>
    ${banners(data)}
    <ul class="cards n${headline.length}">
      ${headline.map((content) => html`<li class="card stat">${content}</li>`)}
    </ul>
  `;
  return { id: "result", title: "Result", body };
}

/** One or two sentences that say no more than the numbers do. */
export function verdict(data: ReportData): string {
  const { base, guided } = mainModels(data);
  const before = base?.bias;
  const after = guided?.bias;
  if (data.outcome === "no-second-population") {
    if (before && missed(before))
      return `No second population was found, yet the measured bias of the base model is ${fixed(before.value)}: this method has missed it.`;
    const bias = before ? ` The measured bias of the base model is ${fixed(before.value)}.` : "";
    return `No second population was found: nothing in these images points to an unlabelled bias of this kind.${bias}`;
  }
  if (before && after)
    return `${change(before, after)}, ${data.groupsFromLabels ? "with the true labels as groups" : `with no label of the ${data.attribute?.name ?? "attribute"} used`}.`;
  if (before) return `The base model has a bias of ${fixed(before.value)}. No guidance module was trained.`;
  const trained = guided ? " A guidance module was trained that treats them alike." : "";
  return `The training images fall into groups that the base model has not learned equally well.${trained}`;
}

/** A clearly biased base model. */
function missed({ value, interval }: Measured): boolean {
  return (interval?.[0] ?? value) > 0.15;
}

function change(before: Measured, after: Measured): string {
  const numbers = `from ${fixed(before.value)} to ${fixed(after.value)}`;
  if (!before.interval || !after.interval) return `The bias went ${numbers}`;
  if (after.interval[1] < before.interval[0]) return `The bias fell ${numbers}`;
  if (after.interval[0] > before.interval[1]) return `The bias rose ${numbers}`;
  return `The bias went ${numbers} (the intervals overlap)`;
}

function banners(data: ReportData): Html {
  const { base } = mainModels(data);
  const weak = data.classifiers.filter((classifier) => classifier.accuracy.value < trustedAccuracy);
  return html`
    ${
      data.outcome === "no-second-population" &&
      !(base?.bias && missed(base.bias)) &&
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
  const { base, guided } = mainModels(data);
  const attribute = data.attribute?.name;
  const images = data.imagesPerPrompt
    ? ` Measured on ${integer(data.imagesPerPrompt)} images per prompt.`
    : "";
  const all: (Html | undefined)[] = [
    statCard("Bias", base?.bias, guided?.bias, {
      write: fixed,
      note: `0: every ${attribute ?? "value"} equally often; 1: always the same.${images}`,
    }),
    statCard("Prompt accuracy", base?.promptAccuracy, guided?.promptAccuracy, {
      write: percent1,
      note: "Images that show what the prompt asked for.",
    }),
    statCard("FID", base?.fid, guided?.fid, {
      write: fidText,
      note: `Distance to ${data.fidReference ?? "real images"}, lower is better. ${
        data.fidFeatureSpace ? `Feature space: ${data.fidFeatureSpace}.` : ""
      }`,
    }),
    groupCard(data),
  ];
  return all.filter((card) => card !== undefined);
}

/** FID values have very different sizes by feature space. */
export function fidText(value: number): string {
  return fixed(value, value < 1 ? 3 : value < 10 ? 2 : 1);
}

function statCard(
  title: string,
  before: Measured | undefined,
  after: Measured | undefined,
  { write, note }: { write: (value: number) => string; note: string },
): Html | undefined {
  if (!before && !after) return undefined;
  const row = (name: string, value: Measured | undefined) =>
    value?.interval &&
    html`<dt>${name}</dt>
      <dd>${range(value.interval, write)}</dd>`;
  const hasIntervals = before?.interval ?? after?.interval;
  return html`<h3>${title}</h3>
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
        <dl>${row("base", before)}${row("guided", after)}</dl>`
    }
    <p>${note}</p>`;
}

function groupCard(data: ReportData): Html | undefined {
  const auc = data.groups?.agreement?.auc;
  if (data.outcome === "no-second-population") return undefined;
  if (auc !== undefined)
    return html`<h3>Groups found (AUC)</h3>
      <p class="numbers"><span class="big">${fixed(auc, 3)}</span></p>
      <p>How well the groups single out the rare images. 1: perfectly; 0.5: chance.</p>`;
  const count = Math.max(0, ...(data.groups?.captions.map((caption) => caption.groups.length) ?? []));
  if (count === 0) return undefined;
  return html`<h3>Groups found</h3>
    <p class="numbers"><span class="big">${count}</span></p>
    <p>per caption, without labels, from the losses of the base model.</p>`;
}
