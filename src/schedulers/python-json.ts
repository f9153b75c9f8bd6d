// JSON as Python writes it: minus infinity, diffusers' default of `lambda_min_clipped`, is a bare word there.

/** The object as indented JSON text with a newline, infinite values as Python writes them. */
export function pythonJson(object: Readonly<Record<string, unknown>>): string {
  const quote = (_: string, value: unknown): unknown =>
    value === Infinity || value === -Infinity ? String(value) : value;
  const text = JSON.stringify(object, quote, 2);
  return text.replaceAll(/(": )"(-?Infinity)"/g, "$1$2") + "\n";
}
