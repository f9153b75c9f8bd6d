/**
 * What the Hugging Face datasets library notes about columns in a parquet file's footer, under the key "huggingface".
 * https://huggingface.co/docs/datasets/about_dataset_features
 */
import type { ParquetFile } from "./parquet-file.ts";

export interface Feature {
  /** "Image", "Audio", "ClassLabel", "Value", ...; undefined where nothing is noted. */
  readonly type?: string;
  /** Of a ClassLabel: the names of 0, 1, ... */
  readonly names?: readonly string[];
}

/** Notes by column name; empty without them. They are hints: what cannot be understood is left out. */
export function featuresOf({ metadata }: ParquetFile): ReadonlyMap<string, Feature> {
  const note = metadata.key_value_metadata?.find(({ key }) => key === "huggingface")?.value;
  const features = at(at(parsed(note), "info"), "features");
  if (typeof features !== "object" || features === null) return new Map();
  return new Map(
    Object.entries(features).map(([name, feature]) => {
      const [type, names] = [at(feature, "_type"), at(feature, "names")];
      const isNames = Array.isArray(names) && names.every((item) => typeof item === "string");
      return [name, { ...(typeof type === "string" && { type }), ...(isNames && { names }) }] as const;
    }),
  );
}

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    // Not ours to judge: the file can be read without.
    return null;
  }
}

const at = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
