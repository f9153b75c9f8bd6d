import { describe, it } from "vitest";
import { expectModuleParity } from "../../test/tensors.ts";
import { Linear } from "./linear.ts";

describe("Linear", () => {
  it("computes torch's output and gradients", () =>
    expectModuleParity("linear", (vs) => new Linear(vs, 5, 4)));
});
