import { describe, expect, it } from "vitest";
import { ownGolden } from "../../test/own-golden.ts";
import { relativeError } from "../../test/tensors.ts";
import { pillowResize } from "./pillow-resize.ts";
import { fitWindow } from "./resize.ts";
import { scope, tensor } from "../torch/index.ts";
import { IMAGENET, normalised, squashed, squashTo } from "./imagenet.ts";

const { get } = ownGolden("resnet");
const device = "cpu";

describe("preprocessing", () => {
  it.each(["tall", "flat"])("is torchvision's on PIL images, whatever the shape: %s", (name) => {
    const picture = get(`squash.${name}.picture`);
    const [height = 0, width = 0] = picture.shape;
    scope(() => {
      const image = { data: picture.toArray() as Uint8Array, width, height };
      const square = pillowResize(image, fitWindow(image, squashTo(32)));
      const ours = normalised(tensor(square, { shape: [1, 3, 32, 32] }), { ...IMAGENET, device });
      // One level of 256 would be an error of 1.7e-2 at that place.
      expect(relativeError(ours.select(0, 0), get(`squash.${name}.out`))).toBeLessThan(1e-6);
    });
  });

  it("squashes tensors as it does decoded files, and leaves those of the right size alone", () => {
    scope(() => {
      const planes = get("squash.tall.picture").permute([2, 0, 1]).unsqueeze(0);
      const both = squashed(planes.repeat([2, 1, 1, 1]), 32);
      const expected = get("squash.tall.out");
      const second = normalised(both, { ...IMAGENET, device }).select(0, 1);
      expect(relativeError(second, expected)).toBeLessThan(1e-6);
      expect(squashed(both, 32).toArray()).toEqual(both.toArray());
    });
  });
});
