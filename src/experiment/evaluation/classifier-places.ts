// The classifiers that a configuration names: "DIR" of one made by train-classifier, or "COLUMN=PATH", such as the
// reference's model.pth, which does not say what it recognises.
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

import { readJsonObject } from "../../checkpoint/index.ts";
import { ConfigError } from "../../torch/errors.ts";

export interface ClassifierPlace {
  /** What it recognises. */
  readonly column: string;
  readonly path: string;
}

/** Errors: ConfigError for a path that is not there, or whose column is not known, or a column named twice. */
export function classifierPlaces(entries: readonly string[] | undefined): ClassifierPlace[] {
  const places = (entries ?? []).map(placeOf);
  const columns = places.map(({ column }) => column);
  const twice = columns.find((column, i) => columns.indexOf(column) < i);
  if (twice !== undefined)
    throw new ConfigError(
      `evaluation.classifiers names two classifiers of "${twice}"; expected one of each column.`,
    );
  return places;
}

function placeOf(entry: string): ClassifierPlace {
  // A path that exists is a path, whatever signs it has.
  const equals = existsSync(entry) ? -1 : entry.indexOf("=");
  if (equals === 0)
    throw new ConfigError(
      `evaluation.classifiers: "${entry}" names no column. Write COLUMN${entry}, such as gender${entry}.`,
    );
  const path = resolve(entry.slice(equals + 1));
  if (!existsSync(path))
    throw new ConfigError(
      `evaluation.classifiers: there is no ${path}. Expected a folder made by \`invdiff train-classifier\`, or COLUMN=PATH with the reference's model.pth.`,
    );
  if (equals >= 0) return { column: entry.slice(0, equals), path };
  const description = join(path, "classifier.json");
  const column =
    statSync(path).isDirectory() && existsSync(description)
      ? readJsonObject(description)["column"]
      : undefined;
  if (typeof column !== "string")
    throw new ConfigError(
      `evaluation.classifiers: ${path} does not say what it recognises. Write COLUMN=${entry}, such as gender=${entry}.`,
    );
  return { column, path };
}
