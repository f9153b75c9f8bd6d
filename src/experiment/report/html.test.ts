import { describe, expect, it } from "vitest";
import { escapeHtml, html, imageUri, rawHtml } from "./html.ts";

describe("html", () => {
  it("escapes what HTML reads as markup and drops forbidden control characters", () => {
    expect(escapeHtml(`<b a="1">'&'\u0000\u0007</b>`)).toBe(
      "&lt;b a=&quot;1&quot;&gt;&#39;&amp;&#39;&lt;/b&gt;",
    );
  });

  it("never lets text become markup", () => {
    const clean = /^<p title="[^"<>]*">[^<>]*<\/p>$/;
    // Every character that exists in one byte, pairs of the dangerous ones, and half a surrogate pair.
    const texts = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));
    for (const a of `<>&"'`) for (const b of `<>&"'/`) texts.push(a + b);
    for (const text of [...texts, "\ud800<"])
      expect(html`<p title="${text}">${text}</p>`.text).toMatch(clean);
  });

  it("keeps HTML, joins lists and leaves out what is absent", () => {
    const items = ["a", "<b>"].map((item) => html`<li>${item}</li>`);
    expect(html`${items}${undefined}${false}${null}${0}${rawHtml("<hr>")}`.text).toBe(
      "<li>a</li><li>&lt;b&gt;</li>0<hr>",
    );
  });

  it("writes images as data URIs, also from a view into a larger buffer", () => {
    const bytes = Uint8Array.from([9, 1, 2, 3, 9]);
    expect(imageUri(bytes.subarray(1, 4))).toBe("data:image/png;base64,AQID");
  });
});
