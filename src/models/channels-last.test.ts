// U-Net and autoencoder with their channels last: the same numbers up to rounding, the same files, and not a single feature
// map on the way, forward or backward, that lies otherwise.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { simulatedDevice } from "../../test/simulated-device.ts";
import { relativeError } from "../../test/tensors.ts";
import { readSafetensors } from "../checkpoint/index.ts";
import { CheckpointTape, type Module, withTape } from "../nn/index.ts";
import { cat, grad, isChannelsLast, keep, noGrad, scope, type Tensor } from "../torch/index.ts";
import { loadUnet, loadVae, saveUnet, saveVae } from "./index.ts";

const memoryFormat = "channels_last";
const { device } = simulatedDevice();

let dir = "";
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), "models-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A map with more than one pixel and one channel: others lie both ways. */
const isMap = ({ ndim, shape }: Tensor) => ndim === 4 && shape[1]! > 1 && shape[2]! * shape[3]! > 1;

/** Channels innermost: maps in a tensor of their own or in a part of one; tokens [B, N, C] without gaps, as views of maps. */
const liesLast = (xs: Tensor) =>
  scope(() => (xs.ndim === 3 ? isDense(xs) : isChannelsLast(xs) || isChannelsLast(xs.clone())));

function isDense(xs: Tensor): boolean {
  try {
    return xs.view([-1]).ndim === 1;
  } catch {
    return false;
  }
}

type Seen = readonly [name: string, map: Tensor];

/** Runs `fn` in a scope and then `check` with its result and every map that a module below `model` was given or gave. */
function withMaps<T>(model: Module, fn: () => T, check: (seen: readonly Seen[], result: T) => void): void {
  const seen: Seen[] = [];
  // What goes on is an alias: the network releases its maps as soon as it can, but these are kept.
  const keepOf = (name: string, value: unknown): unknown => {
    if (Array.isArray(value)) return value.map((each: unknown, i) => keepOf(`${name} ${i}`, each));
    if (typeof value !== "object" || value === null || !("ndim" in value)) return value;
    const map = value as Tensor;
    if (!isMap(map) && map.ndim !== 3) return map;
    const kept = keep(map.alias());
    seen.push([name, kept]);
    return kept.alias();
  };
  for (const [path, module] of model.namedModules()) {
    if (path === "" || !("forward" in module)) continue;
    const layer = module as Module & { forward: (...inputs: unknown[]) => unknown };
    const inherited = layer.forward.bind(layer);
    layer.forward = (...[first, ...rest]) => {
      const given = keepOf(`into ${path}`, first);
      return keepOf(`out of ${path}`, inherited(given, ...rest));
    };
  }
  try {
    scope(() => check(seen, fn()));
  } finally {
    for (const [, map] of seen) map.dispose();
  }
}

const astray = (seen: readonly Seen[]) => seen.filter(([, map]) => !liesLast(map)).map(([name]) => name);

/**
 * All maps and tokens of the way and the gradients of the maps, but for those that lie as the caller has them. (Gradients
 * of tokens may have gaps, being parts of the gradient of a concatenation, as they have in Python.)
 */
function expectAllLast(
  seen: readonly Seen[],
  loss: Tensor,
  { least, but }: { least: number; but: string[] },
) {
  const inside = seen.filter(([name]) => !but.includes(name));
  expect(inside.length).toBeGreaterThan(least);
  expect(astray(inside)).toEqual([]);
  const changing = inside.filter(([, map]) => map.requiresGrad && map.ndim === 4);
  expect(changing.length).toBeGreaterThan(least);
  const gradients = grad(
    [loss],
    changing.map(([, map]) => map),
  );
  expect(astray(changing.map(([name], i) => [name, gradients[i]!]))).toEqual([]);
}

describe.each(["sd1", "sd2"])("tiny-%s with its channels last", (kind) => {
  const given = readSafetensors(golden(`models-${kind}.safetensors`));
  const get = (key: string) => given.get(key)!;

  it("gives the U-Net's golden output and gradients", () => {
    using unet = loadUnet(golden(`tiny-${kind}/unet`), { memoryFormat });
    expect(unet.memoryFormat).toBe(memoryFormat);
    scope(() => {
      const sample = get("unet.sample").alias().detach().requiresGrad_();
      const out = unet.forward(sample, get("unet.timestep"), get("unet.encoder_hidden_states"));
      expect(isChannelsLast(out)).toBe(true);
      expect(relativeError(out, get("unet.output"))).toBeLessThan(1e-5);
      out.backward(get("unet.output_cotangent"));
      expect(relativeError(sample.grad!, get("unet.grad.sample"))).toBeLessThan(1e-4);
      const parameters = new Map(unet.namedParameters());
      for (const [key, expected] of given)
        if (key.startsWith("unet.grad.") && key !== "unet.grad.sample")
          expect(relativeError(parameters.get(key.slice(10))!.grad!, expected)).toBeLessThan(1e-4);
      for (const [key, value] of parameters) {
        const norm = get(`unet.gradnorm.${key}`).item();
        expect(Math.abs(value.grad!.norm().item() - norm) / (norm + 0.1)).toBeLessThan(1e-4);
        if (isMap(value)) expect([key, isChannelsLast(value.grad!)]).toEqual([key, true]);
      }
    });
  });

  it("gives the autoencoder's golden moments and images, in tiles and slices too", () => {
    using vae = loadVae(golden(`tiny-${kind}/vae`), { memoryFormat });
    using plain = loadVae(golden(`tiny-${kind}/vae`));
    noGrad(() =>
      scope(() => {
        const { mean, logvar } = vae.encode(get("vae.pixels"));
        expect(relativeError(mean, get("vae.mean"))).toBeLessThan(1e-5);
        expect(relativeError(logvar, get("vae.logvar"))).toBeLessThan(1e-5);
        expect(relativeError(vae.decode(get("vae.mean")), get("vae.decoded"))).toBeLessThan(1e-5);
        const options = { slicing: true, tiling: { latentSize: 4 } };
        const [one, two] = [vae, plain].map((model) => model.decode(get("vae.mean"), options));
        expect(relativeError(one!, two!)).toBeLessThan(1e-5);
      }),
    );
  });

  // Backward on the processor alone: elsewhere libtorch's own group norm turns its gradient round (autograd calls
  // contiguous()), which on a card the project's kernel is there to avoid.
  it.each([
    ["cpu", false],
    ["cpu", true],
    [device, true],
  ])("keeps every map of the U-Net so on %s, recomputed in the backward pass: %s", (where, tapes) => {
    // On the device that is what a model does by itself.
    using unet = loadUnet(
      golden(`tiny-${kind}/unet`),
      where === "cpu" ? { memoryFormat } : { device: where },
    );
    using tape = new CheckpointTape();
    const run = () => {
      // Twice the size of the goldens, so that there is no level with a single pixel.
      const sample = cat([get("unet.sample"), get("unet.sample")], 2);
      const inputs = [sample, get("unet.timestep"), get("unet.encoder_hidden_states")] as const;
      const [xs, timesteps, states] = inputs.map((input) => input.to(where)) as [Tensor, Tensor, Tensor];
      return withTape(tapes ? tape : undefined, () => unet.forward(xs, timesteps, states).square().sum(null));
    };
    withMaps(unet, run, (seen, loss) => {
      if (!tapes) return expectAllLast(seen, loss, { least: 100, but: ["into conv_in"] });
      const before = seen.length;
      loss.backward();
      tape.backward();
      // Everything in a segment ran a second time, with gradients.
      expect(seen.length).toBeGreaterThan(before * 1.8);
      expect(astray(seen.filter(([name]) => name !== "into conv_in"))).toEqual([]);
    });
  });

  it("keeps every map of the autoencoder so", () => {
    using vae = loadVae(golden(`tiny-${kind}/vae`), { memoryFormat });
    const images = ["into encoder", "into encoder.conv_in"];
    withMaps(
      vae,
      () => {
        const { mean, logvar } = vae.encode(get("vae.pixels"));
        return vae.decode(mean).square().sum(null).add(logvar.square().sum(null));
      },
      (seen, loss) => expectAllLast(seen, loss, { least: 60, but: images }),
    );
  });

  it("is saved to the same bytes, and copied as it lies", () => {
    using unet = loadUnet(golden(`tiny-${kind}/unet`), { memoryFormat });
    using vae = loadVae(golden(`tiny-${kind}/vae`), { memoryFormat });
    using plainUnet = loadUnet(golden(`tiny-${kind}/unet`));
    using plainVae = loadVae(golden(`tiny-${kind}/vae`));
    for (const dtype of ["float32", "bfloat16"] as const) {
      const options = { dtype, maxShardBytes: 200_000 };
      saveUnet(join(dir, "one"), plainUnet, options);
      saveUnet(join(dir, "two"), unet, options);
      saveVae(join(dir, "one/vae"), plainVae, options);
      saveVae(join(dir, "two/vae"), vae, options);
      const files = readdirSync(join(dir, "one"), { recursive: true, encoding: "utf8" }).sort();
      expect(readdirSync(join(dir, "two"), { recursive: true, encoding: "utf8" }).sort()).toEqual(files);
      const bytes = (side: string) =>
        files
          .filter((name) => /\.(json|safetensors)$/.test(name))
          .map((name) => readFileSync(join(dir, side, name)).toString("base64"));
      expect(bytes("one").length).toBeGreaterThan(4);
      expect(bytes("two")).toEqual(bytes("one"));
    }
    using unetCopy = unet.clone();
    using vaeCopy = vae.clone();
    expect([unetCopy.memoryFormat, vaeCopy.memoryFormat]).toEqual([memoryFormat, memoryFormat]);
    const moved = unetCopy.to({ dtype: "float64" }).to({ dtype: "float32" });
    expect(moved.memoryFormat).toBe(memoryFormat);
  });
});
