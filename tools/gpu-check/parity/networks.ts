// The networks of the pipelines: outputs and gradients. Goldens: models-{sd1,sd2}. As test/parity/models.test.ts.
import { loadTextEncoder, loadUnet, loadVae } from "../../../src/models/index.ts";
import { noGrad, scope, type Tensor } from "../../../src/torch/index.ts";
import { golden } from "../../../test/golden-dir.ts";
import { type Checks, Fixture, gradientOf, inPrecision, relativeError } from "./checks.ts";
import { LIMITS } from "./tolerances.ts";

type Compare = (what: string, actual: Tensor, key: string, tolerance: number) => void;

/** Text encoder, U-Net and autoencoder of one golden folder. */
export function checkNetworks(checks: Checks, kind: "sd1" | "sd2"): void {
  using fixture = new Fixture(`models-${kind}.safetensors`);
  const compare: Compare = (what, actual, key, tolerance) =>
    checks.within(`models-${kind}: ${what}`, key, relativeError(actual, fixture.get(key)), tolerance);
  noGrad(() => scope(() => checkOutputs(checks, kind, { fixture, compare })));
  scope(() => checkUnet(checks, kind, { fixture, compare }));
}

interface Golden {
  readonly fixture: Fixture;
  readonly compare: Compare;
}

function checkOutputs(checks: Checks, kind: string, { fixture, compare }: Golden): void {
  const { device } = checks;
  const { output } = LIMITS[checks.precision];
  const given = (key: string) => fixture.get(key).to(device);
  using text = loadTextEncoder(golden(`tiny-${kind}/text_encoder`), { device });
  const states = inPrecision(checks, () => text.forward(given("text.input_ids")));
  compare("text states", states, "text.last_hidden_state", output);
  using vae = loadVae(golden(`tiny-${kind}/vae`), { device });
  const latents = inPrecision(checks, () => vae.encode(given("vae.pixels")));
  compare("VAE mean", latents.mean, "vae.mean", output);
  compare("VAE log-variance", latents.logvar, "vae.logvar", output);
  compare(
    "VAE decoded image",
    inPrecision(checks, () => vae.decode(given("vae.mean"))),
    "vae.decoded",
    output,
  );
}

/** Output, gradient of the input and of every parameter: some whole, of all the norm. */
function checkUnet(checks: Checks, kind: string, { fixture, compare }: Golden): void {
  const { device } = checks;
  const { output, gradient, gradientNorm } = LIMITS[checks.precision];
  const given = (key: string) => fixture.get(`unet.${key}`).to(device);
  using unet = loadUnet(golden(`tiny-${kind}/unet`), { device });
  unet.requiresGrad_();
  const sample = given("sample").requiresGrad_();
  const out = inPrecision(checks, () =>
    unet.forward(sample, given("timestep"), given("encoder_hidden_states")),
  );
  compare("U-Net output", out, "unet.output", output);
  out.backward(given("output_cotangent").to(out.dtype));
  compare("U-Net gradient of the input", gradientOf(sample), "unet.grad.sample", gradient);
  const parameters = new Map(unet.namedParameters());
  for (const key of fixture.below("unet.grad.").filter((name) => name !== "sample"))
    compare(
      "U-Net gradients of whole tensors",
      gradientOf(parameters.get(key)!),
      `unet.grad.${key}`,
      gradient,
    );
  for (const key of fixture.below("unet.gradnorm.")) {
    const norm = fixture.get(`unet.gradnorm.${key}`).item();
    // Queries and keys of a single pixel get no gradient at all: hence the absolute part.
    const error = Math.abs(gradientOf(parameters.get(key)!).norm().item() - norm) / (norm + 0.1);
    checks.within(`models-${kind}: U-Net gradient norms`, key, error, gradientNorm);
  }
}
