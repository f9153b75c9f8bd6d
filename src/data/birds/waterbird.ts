/** A waterbird facing right: long low body, long or middling curved neck, flat bill; feet or waterline at y = 0. */
import type { Random } from "../random.ts";
import { colour, d, ellipse, line, path, tinted, type Hsl } from "./svg.ts";

interface Plumage {
  readonly body: Hsl;
  readonly head: Hsl;
  readonly bill: Hsl;
}

const plumages: readonly Plumage[] = [
  { body: [40, 25, 94], head: [40, 25, 95], bill: [24, 92, 54] },
  { body: [40, 25, 93], head: [40, 20, 94], bill: [24, 92, 54] },
  { body: [36, 12, 68], head: [152, 52, 26], bill: [46, 88, 56] },
  { body: [34, 10, 50], head: [30, 12, 38], bill: [34, 80, 54] },
  { body: [212, 16, 64], head: [216, 22, 32], bill: [38, 85, 56] },
  { body: [215, 14, 34], head: [0, 0, 92], bill: [14, 85, 52] },
];

/** The bird about 42 wide and 24-32 high; `standing` adds legs, otherwise it floats with its keel under y = 0. */
export function waterbird(random: Random, standing: boolean): string {
  const kind = random.choice(plumages);
  const body = tinted(random, kind.body);
  const head = tinted(random, kind.head);
  const bill = tinted(random, kind.bill);
  const lift = standing ? -11 : 1.5;
  const neck = random.uniform(14, 20);
  const lean = random.uniform(-2, 3);
  const hx = 13 + lean;
  const hy = lift - 6 - neck;
  const fill = colour(body);
  let svg = "";
  if (standing) {
    const step = random.uniform(-1.5, 1.5);
    for (const [x, shade] of [
      [3 + step, -12],
      [-3 - step, 0],
    ] as const)
      svg +=
        line(d`M ${x} ${lift + 2} V -1`, colour(bill, shade), 2) +
        path(d`M ${x - 1} -1.6 L ${x + 5} 0.6 H ${x - 1.4} Z`, {
          fill: colour(bill, shade),
          stroke: colour(bill, shade),
          "stroke-width": 1,
          "stroke-linejoin": "round",
        });
  }
  const tail = random.uniform(-10, -5);
  // Neck below the body so that their joint is smooth where head and body differ in colour.
  svg +=
    line(d`M 11 ${lift - 5} C ${17} ${lift - 11} ${hx - 6} ${hy + 9} ${hx} ${hy}`, colour(head), 5.6) +
    path(
      d`M -21 ${lift + tail} C -15 ${lift - 7} -9 ${lift - 12} 2 ${lift - 11.5} C 11 ${lift - 12} 17 ${lift - 9} 16.5 ${lift - 3} C 16 ${lift + 4} 8 ${lift + 5} -2 ${lift + 5} C -13 ${lift + 5} -18 ${lift} -21 ${lift + tail} Z`,
      { fill },
    ) +
    path(
      d`M -15 ${lift - 0.5} C -12 ${lift + 5} 10 ${lift + 6} 15.5 ${lift - 0.5} C 13 ${lift + 5} 6 ${lift + 5} -2 ${lift + 5} C -10 ${lift + 5} -14 ${lift + 3} -15 ${lift - 0.5} Z`,
      {
        fill: colour(body, -14),
        opacity: 0.6,
      },
    );
  const raise = random.uniform(-2, 1.5);
  svg +=
    path(
      d`M -19 ${lift - 6.5 + raise} C -12 ${lift - 10} 0 ${lift - 12} 6 ${lift - 7} C 7 ${lift - 1} -6 ${lift + 1} -19 ${lift - 6.5 + raise} Z`,
      { fill: colour(body, -15) },
    ) +
    line(d`M -11 ${lift - 5} Q -3 ${lift - 2.5} 3 ${lift - 5.5}`, colour(body, -26), 1.2, { opacity: 0.6 });
  // Flat spoon of a bill, then the head over its root.
  svg +=
    path(
      d`M ${hx + 2} ${hy - 1.6} C ${hx + 5} ${hy - 1} ${hx + 8} ${hy + 0.2} ${hx + 11} ${hy + 0.4} C ${hx + 12} ${hy + 2.6} ${hx + 7} ${hy + 3.4} ${hx + 2} ${hy + 2.6} Z`,
      { fill: colour(bill) },
    ) +
    ellipse(hx, hy, 5, 4.3, { fill: colour(head) }) +
    ellipse(hx + 1.8, hy - 1, 1.1, 1.1, { fill: head[2] < 45 ? "#f6efd8" : "#1d1a1a" });
  return svg;
}
