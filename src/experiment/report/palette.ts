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
  accent: "#010221",
  card: "#010222",
} as const;

/** Name of a colour. */
export type Ink = keyof typeof ink;

const others: Ink[] = ["third", "fourth", "fifth", "sixth"];
const values: Ink[] = ["sixth", "fifth", "fourth", "third"];
const captions: Ink[] = ["fourth", "third", "fifth", "sixth"];

/** Colour of a model: base and guided have their own, others take turns by their place among the others. */
export function modelInk(key: string, otherIndex: number): Ink {
  return key === "base" || key === "guided" ? key : others[otherIndex % others.length]!;
}

/** Colour of the n-th attribute value. */
export function valueInk(index: number): Ink {
  return values[index % values.length]!;
}

/** Colour of the n-th caption. */
export function captionInk(index: number): Ink {
  return captions[index % captions.length]!;
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
