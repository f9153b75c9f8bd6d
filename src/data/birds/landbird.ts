/** A perching songbird facing right: round body, big head without a neck, pointed beak, cocked tail, thin legs; feet at y = 0. */
import type { Random } from "../random.ts";
import { colour, d, ellipse, element, line, path, tinted, type Hsl } from "./svg.ts";

interface Plumage {
  readonly body: Hsl;
  readonly belly: Hsl;
}

// Songbirds are bright, waterbirds muted: a picture this small tells its bird by colour as much as by shape.
const plumages: readonly Plumage[] = [
  { body: [18, 62, 42], belly: [18, 86, 57] },
  { body: [212, 60, 50], belly: [40, 62, 84] },
  { body: [4, 70, 47], belly: [14, 74, 62] },
  { body: [46, 84, 56], belly: [50, 86, 76] },
  { body: [30, 86, 52], belly: [36, 80, 78] },
];

/** The bird about 38 wide and 28 high. */
export function landbird(random: Random): string {
  const kind = random.choice(plumages);
  const body = tinted(random, kind.body);
  const belly = tinted(random, kind.belly);
  const leg = colour([28, 45, 30]);
  const cock = random.uniform(-10, -2);
  const hx = random.uniform(6.5, 8.5);
  const hy = random.uniform(-22, -20.5);
  const nod = random.uniform(-1.5, 1.5);
  let svg = "";
  for (const x of [-1.5, 3])
    svg += line(d`M ${x} -6 L ${x + 0.6} -0.8 M ${x - 1.5} -0.4 H ${x + 3.2}`, leg, 1.5);
  svg += path(d`M -7 -15 L ${-21} ${-16 + cock} L ${-19.5} ${-10.5 + cock * 0.9} L -7 -7 Z`, {
    fill: colour(body, -9),
    stroke: colour(body, -9),
    "stroke-width": 1.6,
    "stroke-linejoin": "round",
  });
  svg += element(
    "g",
    { transform: d`rotate(${random.uniform(-22, -12)} 0 -12)` },
    ellipse(0, -12, 12.2, 9.6, { fill: colour(body) }) +
      ellipse(3.4, -9.4, 8.2, 6.6, { fill: colour(belly) }),
  );
  svg +=
    path(d`M ${hx + 4} ${hy - 2.4 + nod * 0.3} L ${hx + 12} ${hy + 1 + nod} L ${hx + 4} ${hy + 3} Z`, {
      fill: colour([40, 75, random.uniform(38, 50)]),
      stroke: colour([36, 70, 36]),
      "stroke-width": 0.6,
      "stroke-linejoin": "round",
    }) +
    ellipse(hx, hy, 7, 6.6, { fill: colour(body, 2) }) +
    ellipse(hx + 2.6, hy + 2.8, 3.6, 2.8, { fill: colour(belly), opacity: 0.9 }) +
    ellipse(hx + 2.6, hy - 0.9, 1.5, 1.5, { fill: body[2] < 30 ? "#f6efd8" : "#1d1a1a" }) +
    ellipse(hx + 3.1, hy - 1.4, 0.5, 0.5, { fill: "#fff" });
  const tip = random.uniform(-2, 3);
  svg += path(d`M 3 -17 C 3 -9 -6 -7 -15 ${-12 + tip} C -11 -17 -4 -20 3 -17 Z`, { fill: colour(body, -14) });
  svg += line(d`M -1 -13 Q -5 -10.6 -10 ${-12 + tip * 0.7}`, colour(body, -24), 1.2, { opacity: 0.6 });
  return svg;
}
