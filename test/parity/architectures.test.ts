// Parameter counts, keys and shapes of the published architectures, without allocating them.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { AutoencoderKL, ClipTextModel, UNet2DConditionModel } from "../../src/models/index.ts";
import { ParamStore } from "../../src/nn/index.ts";
import { golden } from "../golden-dir.ts";
import { within } from "./within.ts";

interface Architecture {
  parameters: number;
  shapes: Record<string, number[]>;
  config: Record<string, unknown>;
}

const architectures = JSON.parse(readFileSync(golden("architectures.json"), "utf8")) as Record<
  string,
  Architecture
>;

const build = (name: string, config: Record<string, unknown>) => {
  const vs = ParamStore.shapesOnly();
  if (name.endsWith("vae")) return new AutoencoderKL(vs, config);
  if (name.endsWith("text_encoder")) return new ClipTextModel(vs, config);
  return new UNet2DConditionModel(vs, config);
};

describe("architectures", () => {
  it.each(Object.keys(architectures))("%s has diffusers' keys and shapes", (name) => {
    const { parameters, shapes, config } = architectures[name]!;
    using model = build(name, config);
    within("architectures: parameter counts", name, Math.abs(model.parameterCount() - parameters), 0);
    // transformers 5 leaves out the prefix that published files have; a new model takes the published form.
    const own = Object.fromEntries(
      Array.from(model.namedParameters(), ([key, { shape }]) => [key.replace("text_model.", ""), [...shape]]),
    );
    expect(own).toEqual(shapes);
    const different = Object.keys({ ...own, ...shapes }).filter(
      (key) => own[key]?.join() !== shapes[key]?.join(),
    );
    within("architectures: keys and shapes", name, different.length, 0);
  });
});
