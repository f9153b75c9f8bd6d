// User names and passwords inside web addresses stay out of every file and message.

const CREDENTIALS = /([a-z][a-z0-9+.-]*:\/\/)[^\s/?#@]*(?:@[^\s/?#@]*)*@/gi;

/** The text with `user:password@` removed from every address in it. */
export const redactText = (text: string): string => text.replace(CREDENTIALS, "$1");

/** A copy of a JSON value with every text redacted. */
export function redact(value: unknown): unknown {
  if (typeof value === "string") return redactText(value);
  if (Array.isArray(value)) return value.map(redact);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redact(item)]));
}
