// Finds repeated keys, which JSON.parse silently resolves to the last one: two readers could see two different files.

const QUOTE = '"';

/** The first key that an object of this JSON text holds twice, or undefined. The text must be valid JSON. */
export function duplicateKey(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = []; // one entry per open bracket; arrays have no keys
  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (char === "{") open.push(new Set());
    else if (char === "[") open.push(undefined);
    else if (char === "}" || char === "]") open.pop();
    else if (char === QUOTE) {
      const end = endOfString(json, at);
      const keys = isKey(json, end) ? open.at(-1) : undefined;
      if (keys) {
        const key = JSON.parse(json.slice(at, end)) as string;
        if (keys.has(key)) return key;
        keys.add(key);
      }
      at = end - 1;
    }
  }
  return undefined;
}

/** Behind the closing quote. By hand: a regular expression overflows the stack on texts of some megabytes. */
function endOfString(json: string, begin: number): number {
  for (let quote = json.indexOf(QUOTE, begin + 1); quote >= 0; quote = json.indexOf(QUOTE, quote + 1)) {
    let escapes = quote;
    while (json[escapes - 1] === "\\") escapes--;
    if ((quote - escapes) % 2 === 0) return quote + 1;
  }
  return json.length;
}

function isKey(json: string, end: number): boolean {
  let at = end;
  while (" \t\n\r".includes(json[at] ?? "x")) at++;
  return json[at] === ":";
}
