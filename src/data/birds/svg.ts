/** The few SVG building blocks that the bird pictures use; coordinates are in a 64 x 64 picture. */

import type { Random } from "../random.ts";

/** A colour as hue (degrees), saturation and lightness (per cent). */
export type Hsl = readonly [hue: number, saturation: number, lightness: number];

/** Shape attributes; numbers are rounded to two decimals. */
export type Attributes = Record<string, number | string | undefined>;

const round = (value: number): string => String(Math.round(value * 100) / 100);

/** One SVG element. */
export function element(name: string, attributes: Attributes, content = ""): string {
  let text = `<${name}`;
  for (const [key, value] of Object.entries(attributes))
    if (value !== undefined) text += ` ${key}="${typeof value === "number" ? round(value) : value}"`;
  return content === "" ? `${text}/>` : `${text}>${content}</${name}>`;
}

/** A colour near `base`, drawn at random. */
export const tinted = (random: Random, base: Hsl): Hsl => [
  base[0] + random.uniform(-6, 6),
  base[1] + random.uniform(-5, 5),
  base[2] + random.uniform(-5, 4),
];

/** CSS colour of an HSL triple, optionally lighter or darker by `lighter` per cent. */
export function colour([hue, saturation, lightness]: Hsl, lighter = 0): string {
  const clamp = (value: number): string => round(Math.min(100, Math.max(0, value)));
  return `hsl(${round(((hue % 360) + 360) % 360)},${clamp(saturation)}%,${clamp(lightness + lighter)}%)`;
}

export const ellipse = (cx: number, cy: number, rx: number, ry: number, attributes: Attributes): string =>
  element("ellipse", { cx, cy, rx, ry, ...attributes });

export const rect = (x: number, y: number, width: number, height: number, attributes: Attributes): string =>
  element("rect", { x, y, width, height, ...attributes });

/** A path from text whose `${numbers}` are rounded: path`M ${x} ${y} ...`. */
export function d(parts: TemplateStringsArray, ...values: readonly number[]): string {
  return parts.reduce(
    (text, part, i) => text + part + (i < values.length ? round(values[i] as number) : ""),
    "",
  );
}

export const path = (data: string, attributes: Attributes): string =>
  element("path", { d: data, ...attributes });

/** Round-ended line along a path. */
export const line = (data: string, stroke: string, width: number, attributes: Attributes = {}): string =>
  path(data, {
    fill: "none",
    stroke,
    "stroke-width": width,
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
    ...attributes,
  });

/** Top-to-bottom gradient from [offset, colour] stops. */
export function gradient(id: string, stops: readonly (readonly [number, string])[]): string {
  const inner = stops.map(([offset, stop]) => element("stop", { offset, "stop-color": stop })).join("");
  return element("linearGradient", { id, x1: 0, y1: 0, x2: 0, y2: 1 }, inner);
}

/** A group moved to (x, y), scaled, and mirrored to face left when asked. */
export function placed(content: string, x: number, y: number, scale: number, left: boolean): string {
  const transform = d`translate(${x} ${y}) scale(${left ? -scale : scale} ${scale})`;
  return element("g", { transform }, content);
}
