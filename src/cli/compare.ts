// invdiff evaluate --samples: finished images of several models in one table, without an experiment.
import { join } from "node:path";
import { UserError } from "../experiment/errors.ts";
import type { ConfigOverride } from "../experiment/index.ts";
import { commandLine } from "./command-line.ts";
import { configFrom, type ConfigOptionValues } from "./config-options.ts";
import { session } from "./session.ts";
import { table } from "./text.ts";

export interface CompareOptions extends ConfigOptionValues {
  out: string;
  samples: readonly string[];
  reference?: string | undefined;
  config?: string | undefined;
  force?: boolean | undefined;
}

/** Errors: UserError for models without a name or with the same one; those of `compareSamples`. */
export async function runCompare(
  options: CompareOptions,
  overrides: readonly ConfigOverride[],
): Promise<void> {
  const { out, reference, force } = options;
  const models = namedFolders(options.samples);
  const settings = await configFrom(options.config, { ...options, data: undefined, overrides });
  const { compareSamples } = await import("../experiment/index.ts");
  await session(async ({ signal, progress, note }) => {
    const { metrics, models: columns } = await compareSamples(
      { models, reference, out, settings, force, reproduce: [commandLine()] },
      { signal, note, progress: (report) => progress({ stage: "evaluate", ...report }) },
    );
    const shown = (value: { value: number } | null | undefined) => value?.value.toPrecision(4) ?? "";
    console.log(
      table([
        ["", ...models.map(({ label }) => label)],
        ...metrics
          .filter(({ skipped }) => skipped === null)
          .map(({ label, values }) => [label, ...columns.map(({ key }) => shown(values[key]))]),
      ]),
    );
    for (const { label, skipped } of metrics)
      if (skipped)
        console.log(`${label}: ${skipped.reason}${skipped.command ? ` Get it: ${skipped.command}` : ""}`);
    console.log(`Report: ${join(out, "report.html")}`);
  });
}

/** "LABEL=DIR" of each model. */
function namedFolders(entries: readonly string[]): { label: string; dir: string }[] {
  const models = entries.map((entry) => {
    const equals = entry.indexOf("=");
    if (equals < 1 || equals === entry.length - 1)
      throw new UserError(
        `--samples was given "${entry}"; expected LABEL=DIR, such as base=samples/base guided=samples/guided.`,
      );
    return { label: entry.slice(0, equals), dir: entry.slice(equals + 1) };
  });
  const labels = models.map(({ label }) => label);
  const twice = labels.find((label, i) => labels.indexOf(label) < i);
  if (twice !== undefined)
    throw new UserError(`--samples names two models "${twice}"; give each its own label.`);
  return models;
}
