// Colours of the charts: placeholders while drawing, CSS variables in the page, so that charts follow light and dark mode.
// The variables are defined in style.ts; hues follow Okabe & Ito's colour-blind-safe set.

/** Placeholder colours: unlikely values that survive ECharts and are replaced in its output. */
export const ink = {
  text: "#010201",
  muted: "#010202",
  grid: "#010203",
  base: "#010211",
  guided: "#010212",
  third: "#010213",
  fourth: "#010214",
  fifth: "#010215",
  sixth: "#010216",
  seventh: "#010217",
  eighth: "#010218",
  ninth: "#010219",
  accent: "#010221",
  card: "#010222",
} as const;

/** Name of a colour. */
export type Ink = keyof typeof ink;

const others: readonly Ink[] = ["third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"];
const values: readonly Ink[] = ["sixth", "fifth", "fourth", "third", "seventh", "ninth", "eighth", "accent"];
const series: readonly Ink[] = ["fourth", "third", "fifth", "sixth", "seventh", "ninth", "eighth"];

/** Colour of the n-th model beside base and guided. */
export function modelInk(index: number): Ink {
  return others[Math.max(0, index) % others.length]!;
}

/** Colour of the n-th attribute value. */
export function valueInk(index: number): Ink {
  return values[index % values.length]!;
}

/** Colour of the n-th caption or group. */
export function captionInk(index: number): Ink {
  return series[index % series.length]!;
}

/** Replaces placeholders by `var(--c-name)`; `none` of them is left. */
export function toCssColours(svg: string): string {
  let text = svg;
  for (const [name, hex] of Object.entries(ink)) {
    const rgb = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join(",");
    text = text.replaceAll(hex, `var(--c-${name})`).replaceAll(`rgb(${rgb})`, `var(--c-${name})`);
  }
  return text;
}
