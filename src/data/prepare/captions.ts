/** Captions of prepared images: the styles of a data set, or a template with column names in braces. */
import { ConfigError } from "../../torch/errors.ts";
import type { CaptionStyle, Columns } from "./listing.ts";

/** "a" or "an" before a noun, by its first letter; "eu" sounds like "you" ("a european goldfinch"). */
export const withArticle = (noun: string): string =>
  `${/^[aeiou]/i.test(noun) && !/^eu/i.test(noun) ? "an" : "a"} ${noun}`;

export interface CaptionChoice {
  /** Name of a style; the first one without it. */
  readonly captions?: string | undefined;
  /** Template such as "a photo of a {gender} person"; instead of a style's own words. */
  readonly caption?: string | undefined;
}

/** Errors: ConfigError for a style that the data set does not have, or an empty template. */
export function chooseCaptions(
  styles: Readonly<Record<string, CaptionStyle>>,
  { captions, caption }: CaptionChoice,
): CaptionStyle & { readonly name: string } {
  const name = captions ?? Object.keys(styles)[0] ?? "";
  const style = Object.hasOwn(styles, name) ? styles[name] : undefined;
  if (!style)
    throw new ConfigError(
      `There are no captions "${name}" for this data set; expected ${Object.keys(styles).join(" or ")}.`,
    );
  if (caption === undefined) return { ...style, name };
  if (caption.trim() === "")
    throw new ConfigError("The caption is empty. Write what the images show, such as a photo of a person.");
  return { ...style, name, caption: (columns) => fill(caption, columns) };
}

function fill(template: string, columns: Columns): string {
  return template.replaceAll(/\{([^{}]*)\}/g, (_, name: string) => {
    const value = Object.hasOwn(columns, name) ? columns[name] : undefined;
    if (value === undefined)
      throw new ConfigError(
        `The caption "${template}" asks for {${name}}; the columns are ${Object.keys(columns).join(", ")}.`,
      );
    return String(value);
  });
}
