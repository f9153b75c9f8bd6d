// Reading a rendered report in tests: its words, its structure, and data whose every text is hostile.

const voidElements = new Set(["meta", "img", "br", "hr", "input", "link"]);

/** Elements that are closed in the wrong order or never. */
export function unclosed(text: string): string[] {
  const open: string[] = [];
  const wrong: string[] = [];
  const body = text.replace(/<!doctype html>/i, "").replace(/<style>[\s\S]*?<\/style>/g, "");
  for (const [, slash, name, self] of body.matchAll(
    /<(\/?)([a-zA-Z][a-zA-Z0-9]*)(?:"[^"]*"|[^">])*?(\/?)>/g,
  )) {
    if (slash) {
      const last = open.pop();
      if (last !== name) wrong.push(`</${name}> closes <${last ?? "nothing"}>`);
    } else if (!self && !voidElements.has(name!)) open.push(name!);
  }
  return [...wrong, ...open.map((name) => `<${name}>`)];
}

/** The text that a reader sees, white space collapsed. */
export function plain(text: string): string {
  return text
    .replace(/<style>[\s\S]*?<\/style>|<svg[\s\S]*?<\/svg>/g, " ")
    .replace(/<\/?bdi>/g, "")
    .replace(/<(?:"[^"]*"|[^">])*>/g, " ")
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&amp;/g, "&")
    .replace(/[\s\u00a0]+/g, " ")
    .replace(/ ([.,:;])/g, "$1");
}

/** Puts a text into every string of the data that is free text. */
export function poisoned<T>(value: T, text: string): T {
  if (typeof value === "string") return (value + text) as T;
  if (value instanceof Uint8Array || value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item: unknown) => poisoned(item, text)) as T;
  const fixedKeys = new Set(["key", "outcome", "model", "kind", "better", "unit"]);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      fixedKeys.has(key) ? (item as unknown) : poisoned(item as unknown, text),
    ]),
  ) as T;
}
