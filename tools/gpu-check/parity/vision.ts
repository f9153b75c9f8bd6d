// Two networks of the evaluation, with weights by formula. Golden: vision. As test/parity/vision.test.ts.
import { readFileSync } from "node:fs";
import { FidInception, Resnet } from "../../../src/models/index.ts";
import type { Module } from "../../../src/nn/index.ts";
import { arange, noGrad, scope, type Tensor } from "../../../src/torch/index.ts";
import { formulaNetwork } from "../../../test/formula-fill.ts";
import { golden } from "../../../test/golden-dir.ts";
import { type Checks, Fixture, inPrecision, relativeError } from "./checks.ts";
import { LIMITS } from "./tolerances.ts";

type Network = Module & { forward(images: Tensor): Tensor };

/** Two pictures of the golden's formula. */
const images = (size: number): Tensor =>
  arange(0, 6 * size * size, 1, { dtype: "float64" })
    .mul(0.011)
    .sin()
    .view([2, 3, size, size])
    .to("float32");

/** A classifier and the network of the FID. */
export function checkVision(checks: Checks): void {
  const { device, precision } = checks;
  using fixture = new Fixture("vision.safetensors");
  const { sorted_keys: keys } = JSON.parse(readFileSync(golden("vision.json"), "utf8")) as {
    sorted_keys: Record<string, string[]>;
  };
  const check = (name: string, size: number, build: () => Network) => {
    using network = build();
    network.to({ device });
    noGrad(() =>
      scope(() => {
        const output = inPrecision(checks, () => network.forward(images(size).to(device)));
        const error = relativeError(output, fixture.get(name));
        checks.within(`vision: ${name}`, "two pictures", error, LIMITS[precision].output);
      }),
    );
  };
  check("resnet18.logits", 96, () =>
    formulaNetwork((vs) => new Resnet(vs, { architecture: "resnet18", numClasses: 4 }), keys["resnet18"]),
  );
  check("fid_inception.pool3", 299, () =>
    formulaNetwork((vs) => new FidInception(vs), keys["fid_inception"]),
  );
}
