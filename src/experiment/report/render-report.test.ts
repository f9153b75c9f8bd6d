import { beforeAll, describe, expect, it } from "vitest";
import { reportFixture } from "../../../test/report-fixture.ts";
import type { FixtureState } from "../../../test/report-fixture.ts";
import { plain, poisoned, unclosed } from "../../../test/report-text.ts";
import { escapeHtml } from "./html.ts";
import { renderReport } from "./render-report.ts";
import type { ReportData } from "./report-data.ts";

const states: FixtureState[] = ["groups-found", "no-second-population", "no-attribute"];
const reports = new Map<FixtureState, string>();

beforeAll(async () => {
  for (const state of states) reports.set(state, await renderReport(reportFixture(state)));
}, 60_000);

describe.each(states)("report.html, %s", (state) => {
  it("is well-formed: every element is closed in order, ids are unique, headings descend one by one", () => {
    const text = reports.get(state)!;
    expect(unclosed(text)).toEqual([]);
    const ids = [...text.matchAll(/\sid="([^"]*)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
    const levels = [...text.matchAll(/<h([1-6])/g)].map((match) => Number(match[1]));
    expect(levels[0]).toBe(1);
    expect(levels.filter((level) => level === 1)).toHaveLength(1);
    levels.forEach((level, i) => expect(level - (levels[i - 1] ?? 0)).toBeLessThanOrEqual(1));
  });

  it("is complete in itself: no script, nothing loaded, every reference is inside", () => {
    const text = reports.get(state)!;
    expect(text).not.toMatch(/<script|<link|<iframe|@import|https?:|javascript:/i);
    for (const [, url] of text.matchAll(/(?:src|href)="([^"]*)"/g))
      expect(url).toMatch(/^(data:image\/(png|webp|jpeg);base64,|#)/);
    for (const [, url] of text.matchAll(/url\(([^)]*)\)/g)) expect(url).toMatch(/^["']?#/);
    for (const [, id] of text.matchAll(/href="#([^"]+)"/g)) expect(text).toContain(`id="${id}"`);
    expect(text).not.toMatch(/\sstyle="[^"]*#0102/);
    expect(text).not.toContain("#0102");
  });

  it("has every section, alternative texts and a labelled drawing for every chart", () => {
    const text = reports.get(state)!;
    for (const id of ["result", "samples", "bias", "groups", "training", "reproduce", "glossary"])
      expect(text).toContain(`<section id="${id}"`);
    for (const [tag] of text.matchAll(/<img [^>]*>/g)) expect(tag).toMatch(/alt="[^"]+"/);
    for (const [tag] of text.matchAll(/<div class="chart"[^>]*>/g))
      expect(tag).toMatch(/role="img" aria-label="[^"]+"/);
    expect(text.includes('id="extremes"')).toBe(state === "groups-found");
  });

  it("is the same for the same data", async () => {
    expect(await renderReport(reportFixture(state))).toBe(reports.get(state));
  });
});

describe("content", () => {
  it("gives further hidden attributes rows of their own", async () => {
    const data = reportFixture("groups-found");
    data.models[0]!.furtherBias = [{ attribute: "pose", bias: { value: 0.61, interval: [0.55, 0.67] } }];
    data.models[1]!.furtherBias = [{ attribute: "pose", bias: { value: 0.12 } }];
    data.groups!.agreementByAttribute = [{ attribute: "pose", auc: 0.987, precision: 0.9, recall: 0.8 }];
    data.groups!.combinations = {
      names: ["usual", "rare pose"],
      counts: [
        [1400, 12],
        [30, 358],
      ],
    };
    const words = plain(await renderReport(data));
    expect(words).toContain("pose 0.61 (0.55 to 0.67) 0.12");
    expect(words).toContain("pose 0.987 0.900 0.800");
    expect(words).toContain("Group 1 1,400 12 Group 2 30 358");
    expect(plain(reports.get("groups-found")!)).not.toContain("further attributes");
  });

  it("shows the numbers of the data", () => {
    const words = plain(reports.get("groups-found")!);
    expect(words).toContain("The bias fell from 0.98 to 0.15, with no label of the background used.");
    expect(words).toContain("95 % intervals base 0.97 to 0.99 guided 0.09 to 0.21");
    expect(words).toContain(
      "“a photo of a waterbird” 0.99 (0.97 to 1.00) 0.17 (0.09 to 0.26) 0.11 (0.02 to 0.19)",
    );
    expect(words).toContain("99.8 % 99.5 to 100.0 % 99.4 % 98.9 to 99.8 % 99.6 % 99.2 to 99.9 %");
    expect(words).toContain("64 features of the evaluation classifier 12.9 9.6 9.3");
    expect(words).toContain("“a photo of a waterbird”, Neglected group 203 2.5 % 97.5 %");
    expect(words).toContain("AUC 0.999");
    expect(words).toContain("water 59 % land 41 %");
    expect(words).toContain("guidance 1 min 48 s");
    expect(words).toContain("libtorch 2.13.0+cpu");
    expect(words).toContain("evaluation only");
    expect(words).toContain("90 % of those captioned “a photo of a waterbird” have the background water");
    expect(reports.get("groups-found")).toContain("All prompts: Base model 0.98 (0.97 to 0.99)");
  });

  it("says honestly that there is no second population, or that it missed one", async () => {
    const words = plain(reports.get("no-second-population")!);
    expect(words).toContain("No second population was found");
    expect(words).toContain("No unlabelled bias of this kind");
    expect(words).not.toContain("nobody asked for that");
    const data = reportFixture("no-second-population");
    data.models[0]!.bias = { value: 0.8, interval: [0.7, 0.9] };
    const missed = plain(await renderReport(data));
    expect(missed).toContain("this method has missed it");
    expect(missed).not.toContain("No unlabelled bias of this kind");
  });

  it("says that bias cannot be measured without labels, and names no attribute", () => {
    const words = plain(reports.get("no-attribute")!);
    expect(words).toContain("Not measured: there are no labels");
    expect(words).not.toMatch(/background|evaluation only|undefined|NaN/);
    expect(words).toContain("Groups found 2 per caption");
  });

  it("warns of weak classifiers and of rises, and makes no claim for true labels", async () => {
    const data = reportFixture();
    data.classifiers[0]!.accuracy = { value: 0.93 };
    data.warnings = ["The disk is nearly full."];
    data.models[1]!.bias = { value: 0.999, interval: [0.998, 1] };
    data.groupsFromLabels = true;
    const words = plain(await renderReport(data));
    expect(words).toContain("The measured numbers cannot be trusted");
    expect(words).toContain("The classifier for the background is right for only 93 %");
    expect(words).toContain("The disk is nearly full.");
    expect(words).toContain("The bias rose from 0.98 to 1.00, with the true labels as groups.");
    expect(words).not.toMatch(/found without labels|in this report only/i);
  });

  it("escapes every text of the data, also in charts and labels", async () => {
    const evil = `<script>alert("x")</script>'&`;
    const data = poisoned(reportFixture(), evil);
    const text = await renderReport(data);
    expect(text).not.toContain("<script");
    expect(text).toContain(escapeHtml(evil));
    expect(unclosed(text)).toEqual([]);
  }, 30_000);

  it("bears missing parts", async () => {
    const data: ReportData = {
      ...reportFixture("no-attribute"),
      models: [],
      samples: [],
      curves: [],
      stages: [],
      versions: {},
      reproduce: [],
      groups: undefined,
      profile: undefined,
    };
    const text = await renderReport(data);
    expect(unclosed(text)).toEqual([]);
    expect(text).not.toContain('id="samples"');
  });
});
