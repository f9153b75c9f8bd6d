// The head of the report: what was asked, in words for somebody who has not read the paper.
import { dateTime, integer, list, percent } from "../format.ts";
import { html } from "../html.ts";
import type { Html } from "../html.ts";
import { baseName } from "../metric-rows.ts";
import { mainModels, modelOf } from "../models.ts";
import { quote, tiles } from "../parts.ts";
import type { ReportAttribute, ReportData } from "../report-data.ts";

type Dataset = NonNullable<ReportData["dataset"]>;

/** Title and question. */
export function question(data: ReportData): Html {
  const { dataset, attribute } = data;
  return html`<header class="hero">
    <p class="overline">InvDiff report · ${dateTime(data.createdAt)}</p>
    <h1><bdi>${data.title}</bdi></h1>
    ${
      data.warnings.length > 0 &&
      html`<p class="small">
        <a href="#result"
          >${data.warnings.length === 1 ? "One warning" : `${data.warnings.length} warnings`}: read before
          trusting the numbers</a
        >
      </p>`
    }
    <div class="columns">
      ${
        !dataset
          ? comparison(data)
          : attribute
            ? withAttribute(data, dataset, attribute)
            : withoutAttribute(data, dataset)
      }
      ${dataset?.description && html`<p class="muted">${dataset.description}</p>`}
    </div>
  </header>`;
}

/** Samples alone: which models, how many images. */
function comparison(data: ReportData): Html {
  const { models, prompts, imagesPerPrompt } = data;
  const count = (n: number, noun: string): string => `${integer(n)} ${noun}${n === 1 ? "" : "s"}`;
  return html`<p class="lede">
      ${models.length === 1 ? "What one model draws" : `What ${count(models.length, "model")} draw`} for
      ${count(prompts.length, "prompt")}${imagesPerPrompt !== undefined && `, ${count(imagesPerPrompt, "image")} each`},
      in numbers and pictures.
    </p>
    ${example(data)}
    <p>
      A model learns the habits of its data and passes them on: asked for a person of some profession, it may
      draw one kind of person only.
      ${
        data.attribute
          ? html`This report counts the <strong>${data.attribute.name}</strong> of the images drawn and says
              how good and how varied they are.`
          : html`This report says how good and how varied the images are.`
      }
    </p>`;
}

function withAttribute(data: ReportData, dataset: Dataset, attribute: ReportAttribute): Html {
  const facts = data.prompts.flatMap(({ prompt, trainingShares }) => {
    if (!trainingShares || !uneven(trainingShares)) return [];
    const usual = largest(trainingShares);
    const share = percent(trainingShares[usual]!);
    return [
      html`${share} of those captioned ${quote(prompt)} have the ${attribute.name}
      ${attribute.values[usual] ?? ""}`,
    ];
  });
  const drawn = habit(data, attribute);
  const among = html`among the ${integer(dataset.trainingImages)} training images`;
  return html`<p class="lede">
      The captions of ${dataset.name} say what an image shows, but never its
      <strong>${attribute.name}</strong>.
      ${
        data.prompts.some((entry) => entry.trainingShares) &&
        (facts.length === 0
          ? html`In this data set that matters little: ${among}, every ${attribute.name} appears about equally
            often with each caption.`
          : html`Yet ${among},
            ${joined(facts.slice(0, 3))}${facts.length > 3 && html`, and so on with ${facts.length - 3} more`}.`)
      }
      ${drawn}
    </p>
    ${example(data)}
    <p>
      A model learns the habits of its data and passes them on. InvDiff looks for them in the losses of the
      model itself, without being told which ${attribute.name} an image has, and then trains a small guidance
      module against what it found.
      ${
        data.groupsFromLabels
          ? html`<strong>This run is a comparison:</strong> its groups are the true labels, to show the best
              that can be hoped for.`
          : html`The true ${attribute.name} of the images is used <strong>in this report only</strong>, to
              check the result; the training never reads it.`
      }
    </p>`;
}

function habit(data: ReportData, attribute: ReportAttribute): Html | undefined {
  const { base } = mainModels(data);
  const shares = base?.sharesPerPrompt;
  if (!shares || data.outcome === "no-second-population") return undefined;
  const strongest = shares.reduce(
    (best, row, p) => (Math.max(...row) > Math.max(...(shares[best] ?? [0])) ? p : best),
    0,
  );
  const row = shares[strongest];
  const prompt = data.prompts[strongest]?.prompt;
  if (!row || prompt === undefined) return undefined;
  if (!uneven(row)) return undefined;
  const usual = largest(row);
  return html`Ask the model for ${quote(prompt)}, and ${percent(row[usual]!)} of its images have the
    ${attribute.name} ${attribute.values[usual] ?? ""}: <strong>nobody asked for that.</strong>`;
}

function withoutAttribute(data: ReportData, dataset: Dataset): Html {
  return html`<p class="lede">
      The ${integer(dataset.trainingImages)} training images of ${dataset.name} come with captions only. If
      images with the same caption mostly share something that no caption mentions, such as a place, a pose or
      a kind of person, the model learns that too, and draws it
      <strong>although nobody asked for it.</strong>
    </p>
    ${example(data)}
    <p>
      InvDiff looks for such habits in the losses of the model itself, without labels, and trains a small
      guidance module against what it found. This report shows which images it took for the usual ones and
      which for the neglected ones, and what the model draws before and after.
    </p>`;
}

/** A few images of the base model, so that the question is seen before it is read. */
function example(data: ReportData): Html | undefined {
  const first = data.samples[0];
  const { base } = mainModels(data);
  const grid = first?.grids.find((entry) => base && modelOf(data, entry) === base);
  if (!first || !grid || grid.images.length < 6) return undefined;
  return html`<figure>
    ${tiles(grid.images.slice(0, 6), 3)}
    <figcaption>
      Asked for ${quote(first.prompt)}: the first six images of <bdi>${baseName(data)}</bdi>.
    </figcaption>
  </figure>`;
}

/** True when the most frequent value is at least a fifth more frequent than in an even split. */
function uneven(shares: readonly number[]): boolean {
  return Math.max(...shares) * shares.length >= 1.2;
}

/** Index of the largest share. */
export function largest(shares: readonly number[]): number {
  return shares.indexOf(Math.max(...shares));
}

function joined(parts: readonly Html[]): Html {
  const marks = list(parts.map((_, i) => `\u0000${i}\u0000`)).split("\u0000");
  return html`${marks.map((mark, i) => (i % 2 === 1 ? parts[Number(mark)] : mark))}`;
}
