// Reads the pictures and labels of a data set of any kind, part by part. Only classifiers may look at such a column.
import { openDataset } from "../../data/dataset.ts";
import { readEvaluationColumns } from "../../data/evaluation-columns.ts";
import { findSplits } from "../../data/source/read-source.ts";
import type { LabelledRow, LabelledRows, PartName } from "./labels.ts";

/**
 * The rows of train (or of the whole, where there are no parts), validation and test. A picture that is held out is never in
 * the training rows too. Errors: DataError that names the line where the column or the picture is missing.
 */
export async function readLabels(path: string, column: string): Promise<LabelledRows> {
  const names = new Set(findSplits(path).map(({ name }) => name));
  const read = async (split: PartName | undefined): Promise<LabelledRow[]> => {
    const dataset = await openDataset(path, { split });
    const values = readEvaluationColumns(path, [column], { split });
    return Array.from({ length: dataset.length }, (_, i) => {
      const { id, file } = dataset.item(i);
      return { id, file, value: String(values.get(id)![column]) };
    });
  };
  const all = await read(names.has("train") ? "train" : undefined);
  const validation = names.has("validation") ? await read("validation") : undefined;
  const test = names.has("test") ? await read("test") : undefined;
  const held = new Set([...(validation ?? []), ...(test ?? [])].map(({ file }) => file));
  const train = all.filter(({ file }) => !held.has(file));
  return { train, ...(validation && { validation }), ...(test && { test }) };
}
