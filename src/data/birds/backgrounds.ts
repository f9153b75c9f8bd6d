/** The two places of the bird pictures: open water (blue-teal below) and woodland (green-brown below). */
import type { Random } from "../random.ts";
import { colour, d, ellipse, gradient, line, path, rect, type Hsl } from "./svg.ts";

/** A background, and where a bird's feet or waterline may be. */
export interface Background {
  readonly svg: string;
  readonly ground: Hsl;
}

interface Sky {
  readonly top: Hsl;
  readonly bottom: Hsl;
  readonly sun: Hsl;
}

const skies: readonly Sky[] = [
  { top: [208, 70, 66], bottom: [200, 75, 88], sun: [50, 95, 88] },
  { top: [214, 60, 60], bottom: [40, 75, 86], sun: [44, 98, 76] },
  { top: [222, 45, 66], bottom: [18, 80, 82], sun: [28, 98, 72] },
  { top: [200, 40, 76], bottom: [60, 45, 92], sun: [52, 80, 92] },
];

function jitter(random: Random, [hue, saturation, lightness]: Hsl, amount = 1): Hsl {
  return [
    hue + amount * random.uniform(-8, 8),
    saturation + amount * random.uniform(-7, 7),
    lightness + amount * random.uniform(-5, 5),
  ];
}

function sky(random: Random, id: string, horizon: number): { svg: string; sunX: number; sun: Hsl } {
  const kind = random.choice(skies);
  const sunX = random.uniform(6, 58);
  const sunY = random.uniform(6, horizon - 6);
  const radius = random.uniform(3.5, 5.5);
  const fill = colour(kind.sun);
  let svg =
    gradient(`${id}s`, [
      [0, colour(jitter(random, kind.top))],
      [1, colour(jitter(random, kind.bottom, 0.6))],
    ]) +
    rect(-1, -1, 66, horizon + 3, { fill: `url(#${id}s)` }) +
    ellipse(sunX, sunY, radius * 2, radius * 2, { fill, opacity: 0.3 }) +
    ellipse(sunX, sunY, radius, radius, { fill });
  for (let i = random.int(3); i > 0; i--) {
    const x = random.uniform(4, 60);
    const y = random.uniform(4, horizon * 0.55);
    const w = random.uniform(6, 10);
    const puff = { fill: "#fff", opacity: 0.75 };
    svg +=
      ellipse(x, y, w, w * 0.28, puff) +
      ellipse(x - w * 0.25, y - w * 0.2, w * 0.42, w * 0.32, puff) +
      ellipse(x + w * 0.28, y - w * 0.14, w * 0.34, w * 0.26, puff);
  }
  return { svg, sunX, sun: kind.sun };
}

/** Open water below a wide sky: far shore, sun glitter, rows of waves. */
export function water(random: Random, id: string): Background {
  const horizon = random.uniform(19, 25);
  const above = sky(random, id, horizon);
  const far = jitter(random, [random.uniform(186, 210), 58, 60]);
  const ground: Hsl = [far[0] + random.uniform(-4, 12), far[1] + 8, random.uniform(32, 42)];
  let svg = above.svg;
  if (random.chance(0.65)) {
    const shore: Hsl = [random.uniform(195, 225), 22, random.uniform(58, 70)];
    const peak = random.uniform(0, 64);
    const height = random.uniform(4, 8);
    svg += path(
      d`M -2 ${horizon + 1} Q ${peak * 0.5} ${horizon - height} ${peak} ${horizon - height * 0.6} T 66 ${horizon - random.uniform(0, 4)} V ${horizon + 1} Z`,
      { fill: colour(shore) },
    );
  }
  svg +=
    gradient(`${id}w`, [
      [0, colour(far)],
      [1, colour(ground)],
    ]) + rect(-1, horizon, 66, 66 - horizon, { fill: `url(#${id}w)` });
  for (let y = horizon + 2; y < horizon + 20; y += 3.6) {
    const half = random.uniform(2, 5) + (y - horizon) * 0.12;
    svg += line(d`M ${above.sunX - half} ${y} H ${above.sunX + half}`, colour(above.sun), 1.6, {
      opacity: 0.5,
    });
  }
  const rows = 4;
  for (let row = 0; row < rows; row++) {
    const y = horizon + 5 + (row * (60 - horizon)) / rows + random.uniform(-1, 1);
    const length = 9 + row * 3;
    const swell = 1 + row * 0.35;
    const shift = random.uniform(0, length);
    let wave = d`M ${-length - shift} ${y}`;
    for (let x = -length - shift; x < 66; x += length) wave += d` q ${length / 2} ${-2 * swell} ${length} 0`;
    const light = row % 2 === 0;
    svg += line(wave, light ? colour(far, 18) : colour(ground, -7), 1.3 + row * 0.25, {
      opacity: light ? 0.6 : 0.4,
    });
  }
  return { svg, ground };
}

function tree(random: Random, x: number, base: number, size: number, leaf: Hsl): string {
  const bark = colour([random.uniform(18, 30), 40, random.uniform(22, 32)]);
  const trunk = rect(x - size * 0.07, base - size * 0.5, size * 0.14, size * 0.52, { fill: bark });
  if (random.chance(0.4)) {
    const tier = (top: number, half: number, low: number, lighter: number): string =>
      path(d`M ${x} ${base - size * top} L ${x + size * half} ${base - size * low} H ${x - size * half} Z`, {
        fill: colour(leaf, lighter),
        stroke: colour(leaf, lighter),
        "stroke-width": 1.2,
        "stroke-linejoin": "round",
      });
    return trunk + tier(0.85, 0.36, 0.18, -5) + tier(1.05, 0.29, 0.46, 0) + tier(1.25, 0.2, 0.76, 4);
  }
  const r = size * 0.3;
  const y = base - size * 0.72;
  return (
    trunk +
    ellipse(x, y, r * 1.25, r * 1.1, { fill: colour(leaf, -5) }) +
    ellipse(x - r * 0.6, y + r * 0.2, r * 0.8, r * 0.7, { fill: colour(leaf) }) +
    ellipse(x + r * 0.25, y - r * 0.35, r * 0.85, r * 0.75, { fill: colour(leaf, 5) })
  );
}

/** A meadow in front of hills and trees. */
export function land(random: Random, id: string): Background {
  const horizon = random.uniform(22, 28);
  const ground: Hsl = jitter(random, [random.uniform(72, 112), 46, 40]);
  const leaf: Hsl = jitter(random, [random.uniform(88, 140), 42, 30]);
  const hill: Hsl = [leaf[0] + 8, 32, random.uniform(46, 56)];
  let svg = sky(random, id, horizon).svg;
  const rise = random.uniform(4, 10);
  const middle = random.uniform(10, 54);
  svg += path(
    d`M -2 ${horizon + 4} V ${horizon - 3} Q ${middle * 0.6} ${horizon - rise * 1.6} ${middle} ${horizon - rise * 0.7} T 66 ${horizon - 4} V ${horizon + 4} Z`,
    {
      fill: colour(hill),
    },
  );
  const trees = 3 + random.int(3);
  for (let i = 0; i < trees; i++) {
    const x = ((i + random.uniform(0.15, 0.85)) * 64) / trees;
    svg += tree(random, x, horizon + random.uniform(2, 5), random.uniform(19, 28), jitter(random, leaf, 0.7));
  }
  const near: Hsl = [ground[0] - random.uniform(10, 30), ground[1] - 2, ground[2] - 8];
  svg +=
    gradient(`${id}g`, [
      [0, colour(ground, 8)],
      [1, colour(near)],
    ]) +
    path(
      d`M -2 66 V ${horizon + 3} Q ${random.uniform(10, 30)} ${horizon} 34 ${horizon + 2} T 66 ${horizon + 3} V 66 Z`,
      { fill: `url(#${id}g)` },
    );
  if (random.chance(0.5)) {
    const x = random.uniform(4, 60);
    svg += path(
      d`M ${x} ${horizon + 2} Q ${x + 12} ${horizon + 16} ${x - 8} 66 H ${x + 14} Q ${x + 20} ${horizon + 16} ${x + 2} ${horizon + 2} Z`,
      {
        fill: colour([34, 42, 58]),
        opacity: 0.75,
      },
    );
  }
  for (let i = 0; i < 9; i++) {
    const x = random.uniform(0, 64);
    const y = random.uniform(horizon + 9, 64);
    const size = 2.2 + (y - horizon) * 0.06;
    const blade = colour(near, i % 2 === 0 ? 14 : -8);
    svg += line(
      d`M ${x - size * 0.6} ${y - size} Q ${x} ${y - size * 0.2} ${x} ${y} Q ${x} ${y - size * 0.2} ${x + size * 0.7} ${y - size}`,
      blade,
      1.2,
      { opacity: 0.8 },
    );
  }
  const petals: Hsl = random.choice([
    [350, 75, 70],
    [48, 95, 66],
    [280, 55, 74],
    [0, 0, 97],
  ] as const);
  for (let i = random.int(6); i > 0; i--)
    svg += ellipse(random.uniform(2, 62), random.uniform(horizon + 8, 63), 1.3, 1.3, {
      fill: colour(petals),
    });
  return { svg, ground: near };
}
