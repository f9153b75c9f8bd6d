// The head of the report: what was asked, in words for somebody who has not read the paper.
import { dateTime, integer, list, percent, quoted } from "../format.ts";
import { html } from "../html.ts";
import type { Html } from "../html.ts";
import { mainModels, tiles } from "../parts.ts";
import type { ReportAttribute, ReportData } from "../report-data.ts";

/** Title and question. */
export function question(data: ReportData): Html {
  return html`<header class="hero">
    <p class="overline">InvDiff report · ${dateTime(data.createdAt)}</p>
    <h1>${data.title}</h1>
    <div class="columns">
      ${data.attribute ? withAttribute(data, data.attribute) : withoutAttribute(data)} ${description(data)}
    </div>
  </header>`;
}

function withAttribute(data: ReportData, attribute: ReportAttribute): Html {
  const facts = data.prompts.flatMap(({ prompt, trainingShares }) => {
    if (!trainingShares) return [];
    const usual = largest(trainingShares);
    const share = percent(trainingShares[usual]!);
    return [
      html`${share} of those captioned ${quoted(prompt)} have the ${attribute.name}
      ${attribute.values[usual] ?? ""}`,
    ];
  });
  const drawn = habit(data, attribute);
  const even = data.prompts.every((entry) => !entry.trainingShares || !uneven(entry.trainingShares));
  const among = html`among the ${integer(data.dataset.trainingImages)} training images`;
  return html`<p class="lede">
      The captions of ${data.dataset.name} say what an image shows, but never its
      <strong>${attribute.name}</strong>.
      ${
        facts.length > 0 &&
        (even
          ? html`In this data set that matters little: ${among}, every ${attribute.name} appears about equally
            often with each caption.`
          : html`Yet ${among}, ${joined(facts)}.`)
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
  return html`Ask the model for ${quoted(prompt)}, and ${percent(row[usual]!)} of its images have the
    ${attribute.name} ${attribute.values[usual] ?? ""}: <strong>nobody asked for that.</strong>`;
}

function withoutAttribute(data: ReportData): Html {
  return html`<p class="lede">
      The ${integer(data.dataset.trainingImages)} training images of ${data.dataset.name} come with captions
      only. If images with the same caption mostly share something that no caption mentions, such as a place,
      a pose or a kind of person, the model learns that too, and draws it
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
  const grid = first?.grids.find((entry) => entry.label === mainModels(data).base?.label);
  if (!first || !grid || grid.images.length < 6) return undefined;
  return html`<figure>
    ${tiles(grid.images.slice(0, 6), 3)}
    <figcaption>Asked for ${quoted(first.prompt)}: the first six images of the base model.</figcaption>
  </figure>`;
}

function description(data: ReportData): Html | undefined {
  return data.dataset.description ? html`<p class="muted">${data.dataset.description}</p>` : undefined;
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
