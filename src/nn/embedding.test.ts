import { describe, it } from "vitest";
import { expectModuleParity } from "../../test/tensors.ts";
import { Embedding } from "./embedding.ts";

describe("Embedding", () => {
  it("looks rows up and gathers their gradients, repeated ones too", () =>
    expectModuleParity("embedding", (vs) => new Embedding(vs, 5, 4)));
});
