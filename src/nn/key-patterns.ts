/**
 * Many checkpoint keys in few lines, none left out, in the braces of the shell:
 *
 *     down_blocks.{0..2}.resnets.{0,1}.{conv1,conv2,norm1,norm2}.{bias,weight}
 *
 * stands for 3 * 2 * 4 * 2 keys.
 */

/** Patterns that stand for exactly these keys. */
export const keyPatterns = (keys: readonly string[]): string[] =>
  [...merge([...new Set(keys)].map((key) => key.split(".")))].map((names) => names.join("."));

/** Names that have the same below them share a line; `rests` are the keys as lists of names, all different. */
function merge(rests: readonly (readonly string[])[]): string[][] {
  const below = new Map<string, string[][]>();
  for (const [name, ...rest] of rests) {
    if (name === undefined) continue;
    const known = below.get(name);
    if (known) known.push(rest);
    else below.set(name, [rest]);
  }
  const groups = new Map<string, { names: string[]; lines: string[][] }>();
  for (const [name, children] of below) {
    const ends = children.some(({ length }) => length === 0);
    const lines = [...(ends ? [[]] : []), ...merge(children)];
    const signature = JSON.stringify(lines);
    const group = groups.get(signature);
    if (group) group.names.push(name);
    else groups.set(signature, { names: [name], lines });
  }
  return [...groups.values()].flatMap(({ names, lines }) => lines.map((line) => [braces(names), ...line]));
}

/** One name as it is, several in braces; three or more consecutive numbers as a range. */
function braces(names: readonly string[]): string {
  if (names.length === 1) return names[0]!;
  if (!names.every((name) => /^(0|[1-9]\d*)$/.test(name))) return `{${[...names].sort().join(",")}}`;
  const runs: [number, number][] = [];
  for (const value of names.map(Number).sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run?.[1] === value - 1) run[1] = value;
    else runs.push([value, value]);
  }
  const texts = runs.flatMap(([first, last]) => {
    if (last - first >= 2) return [`${first}..${last}`];
    return first === last ? [`${first}`] : [`${first}`, `${last}`];
  });
  return `{${texts.join(",")}}`;
}
