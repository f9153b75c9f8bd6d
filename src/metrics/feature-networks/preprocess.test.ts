// What the networks of evaluation are fed, against Pillow, torchvision and torchmetrics (tools/golden/vision-preprocess.py).
import { describe, expect, it } from "vitest";
import { wave64 } from "../../../test/closed-form.ts";
import { ownGolden } from "../../../test/own-golden.ts";
import { lpipsScaled } from "../../models/index.ts";
import { cat, scope, type Tensor } from "../../torch/index.ts";
import {
  cleanInceptionInput,
  imagenetInput,
  lpipsInput,
  referenceInceptionInput,
  referenceVggInput,
} from "./preprocess.ts";

const expected = ownGolden("vision-preprocess");
const pictures = expected.json("pictures") as Record<string, [height: number, width: number, phase: number]>;
const keep = expected.json("keep") as number;

const picture = (name: string): Tensor => {
  const [height, width, phase] = pictures[name]!;
  return wave64([1, 3, height, width], phase).add(1).mul(127.5).round().to("uint8");
};

/** Largest difference that rounding in float32 explains; 0: to the last bit. */
const STEPS = [
  ["clean", cleanInceptionInput, 5e-7],
  ["reference_inception", referenceInceptionInput, 5e-7],
  ["imagenet", imagenetInput, 0],
  ["reference_vgg", referenceVggInput, 0],
  ["lpips", (images: Tensor) => lpipsScaled(lpipsInput(images)), 5e-7],
] as const;

const cases = STEPS.flatMap(([step, prepare, tolerance]) =>
  Object.keys(pictures).map((name) => ({ step, name, prepare, tolerance })),
);

describe("preprocessing", () => {
  it.each(cases)("equals Python: $step, picture $name", ({ step, name, prepare, tolerance }) => {
    scope(() => {
      const values = prepare(picture(name));
      expect(values.dtype).toBe("float32");
      const want = expected.get(`${step}.${name}`);
      const kept = values.flatten().slice(0, 0, undefined, keep);
      expect(kept.shape).toEqual(want.shape);
      expect(kept.sub(want).abs().max().item()).toBeLessThanOrEqual(tolerance);
    });
  });

  it.each(STEPS.map(([step, prepare]) => [step, prepare] as const))(
    "%s takes every picture by itself",
    (_step, prepare) => {
      scope(() => {
        const [height, width] = pictures["small"]!;
        const other = wave64([1, 3, height, width], 1).add(1).mul(127.5).round().to("uint8");
        const both = prepare(cat([other, picture("small")]));
        expect(both.shape[0]).toBe(2);
        expect(both.select(0, 0).sub(both.select(0, 1)).abs().max().item()).toBeGreaterThan(0.5);
        expect(both.slice(0, 1).toNumbers()).toEqual(prepare(picture("small")).toNumbers());
      });
    },
  );
});
