// Whether and how the work of a frozen denoiser is recorded and replayed on a card.
import type { GraphOptions } from "../pipelines/index.ts";
import type { AcceleratorConfig } from "./config-accelerator.ts";

/**
 * What `accelerator.graphs` says, as pipelines take it. "auto": a work that cannot be recorded is told of and called as ever;
 * "on": it is an error.
 */
export const graphOptions = (
  { graphs }: Pick<AcceleratorConfig, "graphs">,
  note: (text: string) => void = () => {},
): boolean | GraphOptions => {
  if (graphs !== "auto") return graphs === "on";
  const onFailure = (error: unknown): void =>
    note(
      `The network's work was not recorded as a graph (${error instanceof Error ? error.message : String(error)}); it goes on without.`,
    );
  return { onFailure };
};
