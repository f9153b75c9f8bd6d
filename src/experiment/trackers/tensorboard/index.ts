// The tracker behind TensorBoard: scalars, histograms, images and text in an event file.
import type { TrackedRun, Tracker } from "../tracker.ts";
import { openEventFile } from "./event-file.ts";
import { histogramValue, imageValue, scalarValue, summary, textValue } from "./messages.ts";

/** Starts an event file in `dir` with the run's configuration as text. Errors: the system's own. */
export function openTensorBoard(
  dir: string,
  { resumeStep, run }: { readonly resumeStep: number; readonly run: TrackedRun },
): Tracker {
  const file = openEventFile(dir, resumeStep);
  const scalars = (step: number, values: Readonly<Record<string, number>>, prefix = ""): void => {
    const named = Object.entries(values);
    if (named.length > 0)
      file.write(step, summary(named.map(([name, value]) => scalarValue(`${prefix}${name}`, value))));
  };
  const text: Tracker["text"] = (step, name, content) =>
    file.write(step, summary([textValue(name, content)]));
  text(resumeStep, "config", fenced(JSON.stringify(run.config, null, 2)));
  if (run.command !== undefined) text(resumeStep, "command", fenced(run.command));
  return {
    scalars: (step, values) => scalars(step, values),
    timing: (step, values) => scalars(step, values, "timing/"),
    histogram: (step, name, values) => file.write(step, summary([histogramValue(name, values)])),
    images: (step, name, pngs) =>
      file.write(
        step,
        summary(pngs.map((png, i) => imageValue(pngs.length > 1 ? `${name}/${i}` : name, png))),
      ),
    text,
    async flush() {
      file.flush();
    },
    async close() {
      file.close();
    },
  };
}

/** Markdown that shows a text as it is. */
const fenced = (text: string): string => `\`\`\`\n${text}\n\`\`\``;
