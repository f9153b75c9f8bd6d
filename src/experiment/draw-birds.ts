// The birds data set for callers that must not load the engine at start.
import type { WriteBirdsOptions } from "../data/index.ts";

/** `writeBirds` of src/data, loaded when it is called. */
export async function drawBirds(out: string, options: WriteBirdsOptions): Promise<void> {
  const { writeBirds } = await import("../data/index.ts");
  await writeBirds(out, options);
}
