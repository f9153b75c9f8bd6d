// report.html: one self-contained file, no script, nothing loaded from elsewhere.
import { ChartDrawer } from "./charts.ts";
import { fitImages } from "./fit-images.ts";
import { html, rawHtml } from "./html.ts";
import type { Section } from "./parts.ts";
import type { ReportData } from "./report-data.ts";
import { glossarySection, reproduceSection } from "./sections/appendix.ts";
import { biasSection } from "./sections/bias.ts";
import { classifiersSection } from "./sections/classifiers.ts";
import { groupsSection } from "./sections/groups.ts";
import { metricsSection } from "./sections/metrics.ts";
import { question } from "./sections/question.ts";
import { resultSection } from "./sections/result.ts";
import { extremesSection, samplesSection } from "./sections/samples.ts";
import { trainingSection } from "./sections/training.ts";
import { reportCss } from "./style.ts";

// Nothing may be loaded or run, even if a user's text got past the escaping.
const policy =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** How large a report may become. */
export interface ReportOptions {
  /** Bytes that all images together may take; larger ones are made smaller. Default 14 MB. */
  readonly imageBytes?: number;
}

/** The whole report as HTML text; equal data give equal text. Any number of models, with or without groups. */
export async function renderReport(given: ReportData, { imageBytes }: ReportOptions = {}): Promise<string> {
  const data = await fitImages(given, imageBytes);
  const drawer = await ChartDrawer.create();
  const all: (Section | undefined)[] = [
    resultSection(data),
    samplesSection(data),
    metricsSection(data),
    biasSection(data, drawer),
    classifiersSection(data),
    groupsSection(data, drawer),
    extremesSection(data),
    trainingSection(data, drawer),
    reproduceSection(data),
    glossarySection(data),
  ];
  const sections = all.filter((section) => section !== undefined);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="generator" content="InvDiff" />
        <title>${data.title} · InvDiff report</title>
        <style>
          ${rawHtml(reportCss)}
        </style>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <div class="page">
          ${question(data)}
          <div class="layout">
            <nav class="contents" aria-label="Contents">
              <p class="overline" aria-hidden="true">Contents</p>
              <ul>
                ${sections.map((s) => html`<li><a href="#${s.id}">${s.short ?? s.title}</a></li>`)}
              </ul>
            </nav>
            <main id="main">
              ${sections.map(
                (s) =>
                  html`<section id="${s.id}" aria-labelledby="${s.id}-title">
                    <h2 id="${s.id}-title">${s.title}</h2>
                    ${s.body}
                  </section>`,
              )}
            </main>
          </div>
          <footer>
            <p>
              Made by InvDiff for TypeScript. This file is complete in itself: it can be mailed, archived and
              printed.
            </p>
          </footer>
        </div>
      </body>
    </html> `.text;
}
