// The parsers on whatever people write: what was written is read, and nothing but DataError comes out of nonsense.
import { isAbsolute, join, relative } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataError } from "../../torch/index.ts";
import { captionLines } from "./caption-files.ts";
import { pathInside } from "./inside.ts";
import { parseCsv } from "./metadata-csv.ts";
import { parseJsonl } from "./metadata-jsonl.ts";
import { checkRows } from "./metadata-rows.ts";
import { decodeText } from "./text-file.ts";

const runs = { seed: 7, numRuns: 300 };
/** Texts full of what separates things elsewhere. */
const awkward = fc.string({
  unit: fc.oneof(
    fc.constantFrom(",", '"', "\n", "\r\n", ";", " ", "\t", "'", "\\", "ä", "🐦", "\u2028"),
    fc.string({ maxLength: 3 }),
  ),
  maxLength: 8,
});
/** What the parser takes for the end of a line is the first that it meets; a table has one kind. */
const lineEnds = fc.constantFrom("\n", "\r\n");

const quoted = (value: string): string =>
  /[",\r\n]/.test(value) || value === "" ? `"${value.replaceAll('"', '""')}"` : value;

/** Runs `parse`; its errors may only be of the user's kind. */
function orDataError(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
  }
}

describe("parseCsv", () => {
  const names = fc
    .uniqueArray(fc.stringMatching(/^[a-z]{1,6}$/), { minLength: 1, maxLength: 4 })
    .map((columns) => ["file_name", ...columns]);

  it("reads what was written, whatever the values are", () => {
    const tables = names.chain((columns) =>
      fc.tuple(
        fc.constant(columns),
        fc.array(fc.array(awkward, { minLength: columns.length, maxLength: columns.length }), {
          maxLength: 6,
        }),
        ...[lineEnds, fc.boolean(), fc.boolean()],
      ),
    );
    fc.assert(
      fc.property(tables, ([columns, rows, end, hasMark, endsEarly]) => {
        const lines = [columns, ...rows].map((row) => row.map(quoted).join(","));
        const text = `${hasMark ? "\uFEFF" : ""}${lines.join(end)}${endsEarly ? "" : (end as string)}`;
        expect(parseCsv(text, "x.csv")).toEqual(
          rows.map((row, i) => ({
            place: `row ${i + 2}`,
            fields: Object.fromEntries(columns.map((name, column) => [name, row[column]])),
          })),
        );
      }),
      runs,
    );
  });

  it("counts rows as a table shows them, blank ones too", () => {
    expect(parseCsv('file_name,text\n\na.png,"1\n2"\n\nb.png,3\n', "x").map(({ place }) => place)).toEqual([
      "row 3",
      "row 5",
    ]);
  });

  it("refuses nonsense with DataError", () => {
    fc.assert(
      fc.property(awkward, awkward, (a, b) => orDataError(() => parseCsv(`file_name,${a}\n${b}`, "x.csv"))),
      runs,
    );
  });
});

describe("parseJsonl", () => {
  it("reads what was written, whatever the values are", () => {
    const rows = fc.array(fc.dictionary(awkward, fc.jsonValue({ maxDepth: 2 }), { noNullPrototype: true }));
    fc.assert(
      fc.property(rows, lineEnds, (written, end) => {
        // A blank line between all of them.
        const text = written.map((row) => `${JSON.stringify(row)}${end}${end}`).join("");
        const read = parseJsonl(text, "x.jsonl");
        expect(read.map(({ place }) => place)).toEqual(written.map((_, i) => `line ${2 * i + 1}`));
        expect(JSON.stringify(read.map(({ fields }) => fields))).toBe(JSON.stringify(written));
      }),
      runs,
    );
  });

  it("refuses nonsense with DataError", () => {
    fc.assert(
      fc.property(awkward, (text) => orDataError(() => parseJsonl(text, "x.jsonl"))),
      runs,
    );
  });
});

describe("pathInside", () => {
  const part = fc.oneof(
    fc.constantFrom("..", ".", "", "a", "b c", ".x", "-", "ü"),
    fc.stringMatching(/^[\w .-]{0,5}$/),
  );
  const path = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/"));

  it("never leads out of the folder, and gives what join gives", () => {
    fc.assert(
      fc.property(path, (name) => {
        const found = pathInside("/data/set", name);
        const joined = join("/data/set", name);
        const inside = relative("/data/set", joined);
        const isInside = !isAbsolute(name) && inside !== "" && inside.split("/")[0] !== "..";
        // Without the sign at the end of a folder's name.
        expect(found).toBe(isInside ? joined.replace(/\/$/, "") : undefined);
      }),
      { seed: 7, numRuns: 2000 },
    );
  });
});

describe("checkRows", () => {
  it("takes every picture once", () => {
    const names = fc.array(
      fc.constantFrom("a.png", "./a.png", "b/../a.png", "b/a.png", "b//a.png", "c.png"),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(names, (files) => {
        const raw = files.map((file_name, i) => ({ place: `line ${i}`, fields: { file_name } }));
        const check = () => checkRows(raw, { file: "f", folder: "/d", example: "e" });
        const distinct = new Set(files.map((name) => join("/d", name)));
        if (distinct.size < files.length) expect(check).toThrow(/was listed before/);
        else
          expect(check().map(({ id, file }) => [id, file])).toEqual(
            files.map((name) => [name, join("/d", name)]),
          );
      }),
      runs,
    );
  });
});

describe("caption files", () => {
  it("hold one caption to a line, whatever the line ends", () => {
    const line = fc.string({ minLength: 1 }).map((text) => text.replace(/[\r\n]/g, "").trim());
    fc.assert(
      fc.property(fc.array(fc.tuple(line, fc.constantFrom("\n", "\r\n", "\r", "\n\n "))), (lines) => {
        const captions = lines.map(([text]) => text).filter((text) => text !== "");
        const read = captionLines(lines.map(([text, end]) => text + end).join(""));
        expect(read).toEqual(captions.length > 1 ? captions : (captions[0] ?? ""));
      }),
      runs,
    );
  });

  it("are UTF-8, or what their byte-order mark says", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }),
        fc.constantFrom("utf8", "utf16le"),
        fc.boolean(),
        (text, encoding, hasMark) => {
          const isMarked = hasMark || encoding === "utf16le" || text.startsWith("\uFEFF");
          expect(decodeText(Buffer.from((isMarked ? "\uFEFF" : "") + text, encoding as BufferEncoding))).toBe(
            text,
          );
        },
      ),
      runs,
    );
  });
});
