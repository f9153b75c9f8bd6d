// Keys, shapes and parameter counts of the published architectures, without allocating them.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { ParamStore } from "../nn/index.ts";
import { ResnetClassifier } from "./resnet-classifier.ts";
import { AutoencoderKL, ClipTextModel, UNet2DConditionModel } from "./index.ts";

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
    expect(model.parameterCount()).toBe(parameters);
    // transformers 5 leaves out the prefix that published files have; a new model takes the published form.
    const own = Array.from(model.namedParameters(), ([key, { shape }]) => [
      key.replace("text_model.", ""),
      shape,
    ]);
    const sorted = (entries: unknown[][]) => entries.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
    expect(sorted(own)).toEqual(sorted(Object.entries(shapes)));
  });

  it("the classifier is small", () => {
    using model = new ResnetClassifier(ParamStore.shapesOnly());
    expect(model.parameterCount()).toBe(308_258);
  });
});
