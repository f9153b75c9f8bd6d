import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CheckpointError, ConfigError } from "../torch/index.ts";
import { deltaGuidance, deltaRatio, parseInvdiffArgs } from "./index.ts";

describe("delta_ratio of the reference", () => {
  it.each([
    [-1, { form: "residual", strength: 1 }],
    [-7.5, { form: "residual", strength: 1 }],
    [1.5, { form: "residual", strength: 1.5 }],
    [1, { form: "blend", ratio: 1 }],
    [0.4, { form: "blend", ratio: 0.4 }],
    [0, { form: "blend", ratio: 0 }],
    [-0.5, { form: "blend", ratio: -0.5 }],
    [undefined, { form: "blend", ratio: 0.5 }],
  ])("%s means %j", (ratio, guidance) => expect(deltaGuidance(ratio)).toEqual(guidance));

  it("computes what epsilon_with_delta.py computes", () => {
    // Its forward pass: three branches over one number; base and delta are the two predictions.
    const reference = (ratio: number, base: number, delta: number) => {
      if (ratio <= -1) return delta + base;
      return ratio > 1 ? ratio * delta + base : ratio * delta + (1 - ratio) * base;
    };
    const number = fc.double({ min: -5, max: 5, noNaN: true });
    fc.assert(
      fc.property(number, number, number, (ratio, base, delta) => {
        const guidance = deltaGuidance(ratio);
        const ours =
          guidance.form === "residual"
            ? base + guidance.strength * delta
            : guidance.ratio * delta + (1 - guidance.ratio) * base;
        expect(ours).toBeCloseTo(reference(ratio, base, delta), 10);
        expect(deltaGuidance(deltaRatio(guidance))).toEqual(guidance);
      }),
      { seed: 19, numRuns: 300 },
    );
  });

  it("cannot say everything", () => {
    expect(() => deltaGuidance(NaN)).toThrow(ConfigError);
    expect(() => deltaRatio({ form: "residual", strength: 0.5 })).toThrow(/residual with strength 0.5/);
    expect(() => deltaRatio({ form: "blend", ratio: 2 })).toThrow(/blend with ratio 2/);
    expect(() => deltaRatio({ form: "blend", ratio: -1 })).toThrow(ConfigError);
  });
});

describe("args.json", () => {
  it("is parted into what is known here and the rest", () => {
    const given = {
      delta_ratio: 0.8,
      seed: null,
      based_unet_path: null,
      learning_rate: 1e-4,
      tracker: ["x"],
    };
    expect(parseInvdiffArgs(given, "args.json")).toEqual({
      args: { delta_ratio: 0.8, seed: null, based_unet_path: null },
      others: { learning_rate: 1e-4, tracker: ["x"] },
    });
  });

  it.each([
    ["delta_ratio", "0.8", /args.json: delta_ratio is "0.8"; expected a number/],
    ["delta_ratio", null, /delta_ratio is null/],
    ["delta", 1, /delta is 1; expected a boolean/],
    ["pretrained_model_name_or_path", {}, /pretrained_model_name_or_path is {}; expected a string/],
    ["prediction_type", 3, /prediction_type is 3; expected a string or null/],
  ])("with %s = %j is refused by name", (option, value, message) => {
    expect(() => parseInvdiffArgs({ [option]: value }, "args.json")).toThrow(CheckpointError);
    expect(() => parseInvdiffArgs({ [option]: value }, "args.json")).toThrow(message);
  });
});
