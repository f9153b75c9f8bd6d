// confusion.png: how often each value is taken for which, as a table of shares with the counts as text.
import sharp from "sharp";

export interface ConfusionTable {
  readonly title: string;
  readonly values: readonly string[];
  /** [true][predicted], images. */
  readonly counts: readonly (readonly number[])[];
}

const FONT = "DejaVu Sans, Liberation Sans, Arial, Helvetica, sans-serif";
const INK = "#1b2430";
const MUTED = "#5b6675";
const MARGIN = 24;
const BLUE = [31, 99, 173];
const ORANGE = [200, 90, 20];
/** How near a full cell comes to its colour: dark letters stay readable on it. */
const DEPTH = 0.6;
/** Wide enough for six digits and for a name in two lines. */
const CELL = { width: 104, height: 64 };
/** Letters in one line of a name; 13 pixels of this font are about 7.6 wide. */
const LINE = 13;
const LINES = 3;

/** An SVG drawing as the bytes of a PNG file, at twice its size so that it is sharp on fine screens. */
export async function confusionPng(table: ConfusionTable): Promise<Buffer> {
  return await sharp(Buffer.from(confusionSvg(table)), { density: 144 })
    .png()
    .toBuffer();
}

export function confusionSvg({ title, values, counts }: ConfusionTable): string {
  const names = values.map(nameLines);
  const longest = Math.max(...names.flat().map((line) => line.length), 4);
  const left = MARGIN + Math.max(90, longest * 8 + 16);
  const top = MARGIN + 76 + Math.max(...names.map((lines) => lines.length)) * 16;
  const width = Math.max(320, left + values.length * CELL.width + MARGIN, MARGIN * 2 + title.length * 11);
  const height = top + values.length * CELL.height + MARGIN + 26;
  const rows = counts.map((row, i) => rowSvg(row, i, { left, top }));
  const columns = names.map((lines, j) => {
    const x = left + (j + 0.5) * CELL.width;
    return lines
      .map((line, k) => text(line, { x, y: top - 12 - 16 * (lines.length - 1 - k), anchor: "middle" }))
      .join("");
  });
  const sides = names.map((lines, i) => {
    const y = top + (i + 0.5) * CELL.height + 5 - 8 * (lines.length - 1);
    return lines.map((line, k) => text(line, { x: left - 12, y: y + 16 * k, anchor: "end" })).join("");
  });
  const middle = left + (values.length * CELL.width) / 2;
  const parts = [
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(title, { x: MARGIN, y: MARGIN + 16, size: 17, weight: 700 }),
    text("classified as", { x: middle, y: MARGIN + 52, anchor: "middle", fill: MUTED }),
    text("true value", { x: left - 12, y: top - 12, anchor: "end", fill: MUTED }),
    ...columns,
    ...sides,
    ...rows,
    text("Shares and shading are within each row.", {
      x: MARGIN,
      y: height - MARGIN + 4,
      size: 12,
      fill: MUTED,
    }),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${parts.join("")}</svg>`;
}

function rowSvg(row: readonly number[], i: number, { left, top }: { left: number; top: number }): string {
  const total = row.reduce((sum, count) => sum + count, 0);
  return row
    .map((count, j) => {
      const share = total === 0 ? 0 : count / total;
      const [x, y] = [left + j * CELL.width, top + i * CELL.height];
      // Right answers in blue, mistakes in orange; both are told apart without colours by their place.
      const colour = (i === j ? BLUE : ORANGE).map((channel) =>
        Math.round(255 + (channel - 255) * DEPTH * share),
      );
      const fill = `rgb(${colour.join(",")})`;
      const centre = x + CELL.width / 2;
      const shown = total === 0 ? "-" : `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
      return (
        `<rect x="${x + 1}" y="${y + 1}" width="${CELL.width - 2}" height="${CELL.height - 2}" fill="${fill}" stroke="#d5dbe3"/>` +
        text(shown, { x: centre, y: y + 29, anchor: "middle", size: 16, weight: 700, fill: INK }) +
        text(count.toLocaleString("en-US"), { x: centre, y: y + 48, anchor: "middle", size: 12, fill: INK })
      );
    })
    .join("");
}

/** A name in up to three short lines, broken where it has gaps; what does not fit is left out at its end. */
function nameLines(name: string): string[] {
  const pieces = (name === "" ? '""' : name)
    .split(/(?<=[ _\-/,])/)
    .flatMap((piece) => piece.match(new RegExp(`.{1,${LINE}}`, "gsu")) ?? []);
  const lines: string[] = [];
  for (const piece of pieces) {
    const last = lines.at(-1);
    if (last !== undefined && (last + piece).trimEnd().length <= LINE) lines[lines.length - 1] = last + piece;
    else lines.push(piece);
  }
  const trimmed = lines.map((line) => line.trim()).filter((line) => line !== "");
  if (trimmed.length <= LINES) return trimmed;
  const kept = trimmed.slice(0, LINES);
  return [...kept.slice(0, -1), `${kept.at(-1)!.slice(0, LINE - 1)}…`];
}

interface TextStyle {
  readonly x: number;
  readonly y: number;
  readonly size?: number;
  readonly weight?: number;
  readonly anchor?: "start" | "middle" | "end";
  readonly fill?: string;
}

function text(
  content: string,
  { x, y, size = 13, weight = 400, anchor = "start", fill = INK }: TextStyle,
): string {
  return `<text x="${x}" y="${y}" font-family="${FONT}" font-size="${size}" font-weight="${weight}" text-anchor="${anchor}" fill="${fill}">${escaped(content)}</text>`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
/** Signs that XML cannot hold become a place holder. */
const escaped = (content: string): string =>
  content
    .replace(/[&<>"]/g, (sign) => ENTITIES[sign]!)
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd");
