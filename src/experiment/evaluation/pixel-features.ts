// A feature space that needs no network at all: pictures averaged to 8 x 8 pixels. It sees colours and their places, nothing
// else; it stands in where no network is there, under its own name.
import { sha256 } from "../hash.ts";
import type { FeatureNetwork } from "../../metrics/index.ts";
import { adaptiveAvgPool2d, keep, scope } from "../../torch/index.ts";

const SIDE = 8;

export const pixelFeatures = (): FeatureNetwork => ({
  kind: "pixels",
  name: `colours averaged to ${SIDE} x ${SIDE} pixels (${3 * SIDE * SIDE} numbers per image)`,
  dimensions: 3 * SIDE * SIDE,
  key: sha256(`pixels ${SIDE} 1`),
  features: (images) =>
    keep(scope(() => adaptiveAvgPool2d(images.to("float32").div(255), [SIDE, SIDE]).flatten(1))),
  [Symbol.dispose]() {},
});
