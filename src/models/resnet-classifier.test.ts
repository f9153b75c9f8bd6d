import { describe, expect, it } from "vitest";
import { AdamW, ParamStore } from "../nn/index.ts";
import { cat, crossEntropyLoss, full, Generator, randn, scope, tensor } from "../torch/index.ts";
import { ResnetClassifier } from "./resnet-classifier.ts";

describe("ResnetClassifier", () => {
  it("is small", () => {
    using model = new ResnetClassifier(ParamStore.shapesOnly());
    expect(model.parameterCount()).toBe(308_258);
  });

  it("learns to tell dark from bright images", () => {
    using model = ResnetClassifier.seeded({ stage_channels: [8, 16], norm_num_groups: 1 }, 0);
    using optimizer = new AdamW(model.namedParameters(), { lr: 1e-2 });
    const generator = new Generator().manualSeed(0);
    const losses = Array.from({ length: 12 }, () =>
      scope(() => {
        const light = cat([full([8, 3, 16, 16], -0.3), full([8, 3, 16, 16], 0.3)], 0);
        const images = light.add(randn([16, 3, 16, 16], { generator }));
        const labels = tensor(BigInt64Array.from({ length: 16 }, (_, i) => (i < 8 ? 0n : 1n)));
        optimizer.zeroGrad();
        const loss = crossEntropyLoss(model.forward(images), labels);
        loss.backward();
        optimizer.step();
        return loss.item();
      }),
    );
    expect(losses[0]).toBeGreaterThan(0.5);
    expect(losses.at(-1)).toBeLessThan(0.1);
  });
});
