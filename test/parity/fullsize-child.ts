// The work of fullsize.test.ts in processes of their own: `write DIR` makes the folder of Stable Diffusion 1.4's U-Net with
// weights by the formula of make_golden.py, `forward DIR` loads it, runs it once and tells its peak memory on stdout.
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeSafetensors } from "../../src/checkpoint/index.ts";
import { loadUnet, STABLE_DIFFUSION_1_4, UNet2DConditionModel } from "../../src/models/index.ts";
import { ParamStore } from "../../src/nn/index.ts";
import {
  arange,
  noGrad,
  scope,
  setNumThreads,
  tensor,
  type Tensor,
  writeAll,
} from "../../src/torch/index.ts";

/** Elements made at a time: a float64 piece is 32 MB, the largest tensor would be 236. */
const PIECE = 4 * 1024 * 1024;

interface Placed {
  readonly key: string;
  readonly shape: readonly number[];
  readonly count: number;
  readonly begin: number;
}

function layout(): { header: Buffer; tensors: Placed[] } {
  using model = new UNet2DConditionModel(ParamStore.shapesOnly(), STABLE_DIFFUSION_1_4.unet);
  const shapes = Array.from(model.namedParameters(), ([key, { shape }]) => [key, shape] as const);
  let begin = 0;
  const tensors = shapes
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, shape]) => {
      const placed = { key, shape, count: shape.reduce((a, b) => a * b, 1), begin };
      begin += 4 * placed.count;
      return placed;
    });
  const entry = ({ key, shape, count, begin: at }: Placed) =>
    [key, { dtype: "F32", shape, data_offsets: [at, at + 4 * count] }] as const;
  const json = JSON.stringify(Object.fromEntries(tensors.map(entry)));
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return { header: Buffer.concat([length, text]), tensors };
}

/** Elements [from, to) of the i-th tensor by name. */
function formula({ key, shape }: Placed, i: number, [from, to]: [number, number]): Tensor {
  const angles = arange(from, to, 1, { dtype: "float64" })
    .mul(12.9898)
    .add((i % 97) * 78.233);
  const v = angles.sin().mul(43758.5453).frac().mul(1.7320508);
  const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
  if (shape.length > 1) return v.mul(0.7 / Math.sqrt(fanIn)).to("float32");
  return (key.endsWith("weight") ? v.mul(0.1).add(1) : v.mul(0.02)).to("float32");
}

function write(dir: string): void {
  const { header, tensors } = layout();
  const fd = openSync(join(dir, "diffusion_pytorch_model.safetensors"), "w");
  writeAll(fd, header);
  tensors.forEach((placed, i) => {
    for (let from = 0; from < placed.count; from += PIECE) {
      const range: [number, number] = [from, Math.min(from + PIECE, placed.count)];
      scope(() => formula(placed, i, range).withBytes((bytes) => writeAll(fd, bytes)));
    }
  });
  closeSync(fd);
  writeFileSync(join(dir, "config.json"), JSON.stringify(STABLE_DIFFUSION_1_4.unet));
}

function forward(dir: string): void {
  using model = loadUnet(dir);
  noGrad(() =>
    scope(() => {
      const double = { dtype: "float64" } as const;
      const latents = arange(0, 4 * 64 * 64, 1, double)
        .mul(0.7)
        .sin()
        .to("float32");
      const states = arange(0, 77 * 768, 1, double)
        .mul(0.3)
        .cos()
        .to("float32");
      const timestep = tensor([501], { dtype: "int64" });
      const output = model.forward(latents.view([1, 4, 64, 64]), timestep, states.view([1, 77, 768]));
      writeSafetensors(join(dir, "output.safetensors"), { output });
    }),
  );
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))!;
  process.stdout.write(JSON.stringify({ peakBytes: Number(kilobytes) * 1024 }));
}

setNumThreads(2);
const [command = "", dir = ""] = process.argv.slice(2);
if (command === "write") write(dir);
else forward(dir);
