// How a graphics card is used. Nothing here changes what is computed but by rounding, so no stage is made anew for it.
import type { z } from "zod";
import { choice, flag, section } from "./config-kinds.ts";
import { SWITCH } from "./switch.ts";

export const accelerator = section({
  tf32: flag()
    .default(true)
    .describe("round the factors of float32 products to TF32 on a card; the evaluation never does"),
  deterministic: flag()
    .default(false)
    .describe("use deterministic kernels alone on a card: the same bits every time, slower"),
  graphs: choice(SWITCH)
    .default("auto")
    .describe(
      "record the work of a step once and repeat it (CUDA graphs); auto: on a card, and without where that fails",
    ),
  channelsLast: choice(SWITCH)
    .default("auto")
    .describe("keep feature maps with their channels last; auto: on a card"),
});

/** How a graphics card is used. */
export type AcceleratorConfig = z.output<typeof accelerator>;

/** How the weights of convolutions are to lie; undefined: as their device wants it. */
export function weightFormat({
  channelsLast,
}: Pick<AcceleratorConfig, "channelsLast">): "channels_last" | "contiguous_format" | undefined {
  if (channelsLast === "auto") return undefined;
  return channelsLast === "on" ? "channels_last" : "contiguous_format";
}
