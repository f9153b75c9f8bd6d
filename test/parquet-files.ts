// The files of golden/parquet-files/ (tools/golden/parquet-files.py) and what they hold by Python's account.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const parquetFile = (name: string): string =>
  fileURLToPath(new URL(`golden/parquet-files/${name}`, import.meta.url));

export interface ParquetContent {
  /** [row] of every plain column. */
  readonly columns: Readonly<Record<string, readonly unknown[]>>;
  readonly paths?: readonly (string | null)[];
  /** Of each picture; false for rows without one. */
  readonly sha256?: readonly (string | false)[];
}

export const parquetContents = JSON.parse(readFileSync(parquetFile("expected.json"), "utf8")) as Readonly<
  Record<string, ParquetContent>
>;
