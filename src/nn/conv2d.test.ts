import { describe, it } from "vitest";
import { expectModuleParity } from "../../test/tensors.ts";
import { Conv2d } from "./conv2d.ts";

describe("Conv2d", () => {
  it("computes torch's output and gradients, strided and padded", () =>
    expectModuleParity("conv2d", (vs) => new Conv2d(vs, 3, 4, { stride: 2 })));
});
