// Finds repeated keys, which JSON.parse silently resolves to the last one: two readers could see two different files.

/** The first key that an object of this JSON text holds twice, or undefined. The text must be valid JSON. */
export function duplicateKey(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = []; // one entry per open bracket; arrays have no keys
  const token = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g;
  for (let match = token.exec(json); match; match = token.exec(json)) {
    const [text, colon] = match;
    if (text === "{") open.push(new Set());
    else if (text === "[") open.push(undefined);
    else if (text === "}" || text === "]") open.pop();
    else if (colon !== undefined) {
      const key = JSON.parse(text.slice(0, -colon.length)) as string;
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return undefined;
}
