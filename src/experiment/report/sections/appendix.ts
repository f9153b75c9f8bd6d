// How to repeat the run, its settings and versions, and what the words mean.
import { html } from "../html.ts";
import { table } from "../parts.ts";
import type { Section } from "../parts.ts";
import type { ReportData } from "../report-data.ts";

/** Commands, settings, versions. */
export function reproduceSection(data: ReportData): Section {
  const versions = Object.entries(data.versions);
  const body = html`
    <p>The same settings, seeds and versions on the same kind of machine give the same result.</p>
    ${data.reproduce.length > 0 && block("Commands that repeat this run", data.reproduce.join("\n"))}
    <h3>Settings</h3>
    ${block("Settings of this run, as YAML", data.settingsYaml.trimEnd())}
    ${versions.length > 0 && table("Versions", ["Part", "Version"], versions, { text: 1 })}
  `;
  return { id: "reproduce", title: "Repeat this run", body };
}

function block(label: string, text: string) {
  return html`<pre role="region" aria-label="${label}" tabindex="0"><code>${text}</code></pre>`;
}

/** What the numbers mean. */
export function glossarySection(data: ReportData): Section {
  const terms: [string, string, boolean][] = [
    [
      "Bias",
      "How unevenly the values of an attribute are generated for one prompt: the mean difference between the shares of any two values, scaled to 0..1 (for two values, the difference of their shares). The overall number is the mean over the prompts.",
      data.attribute !== undefined,
    ],
    [
      "95 % interval",
      "The range of the number when the generated images are redrawn at random from themselves 2,000 times or so, without the lowest and highest 2.5 %. It covers the chance of sampling, not that of training.",
      data.models.some((model) => model.bias?.interval ?? model.promptAccuracy?.interval),
    ],
    [
      "Prompt accuracy",
      "Share of generated images in which a classifier recognises what the prompt asked for. Removing a bias must not lower it.",
      data.models.some((model) => model.promptAccuracy),
    ],
    [
      "FID",
      `Fréchet distance between the features of generated and real images: lower means more alike. Comparable only within one feature space${
        data.fidFeatureSpace ? ` (here: ${data.fidFeatureSpace})` : ""
      }.`,
      data.models.some((model) => model.fid),
    ],
    ["Base model", "The diffusion model trained on these images as they are.", true],
    [
      "Guided model",
      "The base model plus the guidance module, which was trained to serve all groups alike.",
      true,
    ],
    [
      "Group",
      data.groupsFromLabels
        ? "Training images with the same caption and the same true label."
        : "Training images with the same caption whose losses under the base model are alike. Found without labels.",
      true,
    ],
    [
      "Bimodality coefficient",
      "(skewness² + 1) / kurtosis of the losses. The flat distribution has 5/9; two separate peaks lie above it.",
      data.profile !== undefined,
    ],
    [
      "AUC",
      "Probability that a rare image has a higher group score than a usual one. Measured after the fact.",
      data.groups?.agreement?.auc !== undefined,
    ],
    [
      "Timestep",
      "How much noise an image carries during training: 0 almost none, the highest almost only noise.",
      data.profile !== undefined,
    ],
  ];
  const body = html`<dl class="glossary">
    ${terms
      .filter(([, , shown]) => shown)
      .map(
        ([term, meaning]) =>
          html`<dt>${term}</dt>
            <dd>${meaning}</dd>`,
      )}
  </dl>`;
  return { id: "glossary", title: "What the numbers mean", short: "Glossary", body };
}
