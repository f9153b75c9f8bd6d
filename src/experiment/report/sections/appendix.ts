// How to repeat the run, its settings and versions, and what the words mean.
import { glossary } from "../glossary.ts";
import { html } from "../html.ts";
import { codeBlock, table } from "../parts.ts";
import type { Section } from "../parts.ts";
import type { ReportData } from "../report-data.ts";

/** Commands, settings, versions. */
export function reproduceSection(data: ReportData): Section | undefined {
  const versions = Object.entries(data.versions);
  const settings = data.settingsYaml.trimEnd();
  if (data.reproduce.length === 0 && settings === "" && versions.length === 0) return undefined;
  const body = html`
    <p>The same settings, seeds and versions on the same kind of machine give the same result.</p>
    ${
      data.reproduce.length > 0 &&
      html`<h3>Commands</h3>
        ${codeBlock("Commands that repeat this run", data.reproduce.join("\n"))}`
    }
    ${
      settings !== "" &&
      html`<h3>Settings</h3>
        ${codeBlock("Settings of this run, as YAML", settings)}`
    }
    ${versions.length > 0 && table("Versions", ["Part", "Version"], versions, { text: 1 })}
  `;
  return { id: "reproduce", title: "Repeat this run", body };
}

/** What the numbers mean. */
export function glossarySection(data: ReportData): Section | undefined {
  const terms = glossary(data);
  if (terms.length === 0) return undefined;
  const body = html`<dl class="glossary">
    ${terms.map(
      ({ term, meaning }) =>
        html`<dt>${term}</dt>
          <dd>${meaning}</dd>`,
    )}
  </dl>`;
  return { id: "glossary", title: "What the numbers mean", short: "Glossary", body };
}
