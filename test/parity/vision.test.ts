// The networks of evaluation against torchvision, the reference's FID network and torchmetrics. Golden: vision.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/checkpoint/index.ts";
import { FidInception, LpipsVgg, Resnet, Vgg16 } from "../../src/models/index.ts";
import type { Module } from "../../src/nn/index.ts";
import { arange, noGrad, scope, type Tensor } from "../../src/torch/index.ts";
import { formulaNetwork } from "../formula-fill.ts";
import { golden } from "../golden-dir.ts";
import { relativeError } from "../tensors.ts";
import { within } from "./within.ts";

const { sorted_keys: keys } = JSON.parse(readFileSync(golden("vision.json"), "utf8")) as {
  sorted_keys: Record<string, string[]>;
};
const expected = readSafetensors(golden("vision.safetensors"));
afterAll(() => {
  for (const value of expected.values()) value.dispose();
});

/** Two pictures of the golden's formula. */
const images = (size: number) =>
  arange(0, 6 * size * size, 1, { dtype: "float64" })
    .mul(0.011)
    .sin()
    .view([2, 3, size, size])
    .to("float32");

function check(name: string, output: () => Tensor, tolerance = 1e-5): void {
  noGrad(() =>
    scope(() =>
      within(`vision: ${name}`, "two pictures", relativeError(output(), expected.get(name)!), tolerance),
    ),
  );
}

/** The keys are those of Python: no more, no fewer, but for layers that are left aside. */
function sameKeys(name: string, network: Module, aside: RegExp = /^$/): void {
  const wanted = keys[name]!.filter((key) => !aside.test(key));
  expect([...network.stateDict().keys()].sort()).toEqual(wanted);
}

describe("vision", () => {
  it.each(["resnet18", "resnet50"] as const)("%s", (architecture) => {
    using network = formulaNetwork(
      (vs) => new Resnet(vs, { architecture, numClasses: 4 }),
      keys[architecture],
    );
    check(`${architecture}.logits`, () => network.forward(images(96)));
  });

  it("VGG-16, fc2 before its ReLU", () => {
    using network = formulaNetwork((vs) => new Vgg16(vs), keys["vgg16"]);
    sameKeys("vgg16", network, /^classifier\.6/);
    check("vgg16.fc2_before_relu", () => network.forward(images(224)).slice(1, 0, undefined, 16));
  });

  it("FID's Inception, pool3", () => {
    using network = formulaNetwork((vs) => new FidInception(vs), keys["fid_inception"]);
    sameKeys("fid_inception", network);
    check("fid_inception.pool3", () => network.forward(images(299)));
  });

  it("LPIPS with VGG-16", () => {
    using network = formulaNetwork((vs) => new LpipsVgg(vs), keys["lpips.vgg"]);
    sameKeys("lpips.vgg", network);
    noGrad(() =>
      scope(() => {
        for (const [key, value] of network.namedParameters())
          if (key.startsWith("lin")) value.copy_(value.abs());
      }),
    );
    check("lpips.vgg", () => network.forward(images(64), images(64).flip([-1])));
    check("lpips.vgg", () => {
      const [a, b] = [network.features(images(64)), network.features(images(64).flip([-1]))];
      return network.crossed(a, b).diagonal();
    });
  });
});
