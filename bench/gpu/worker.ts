// Our side of `npm run bench:gpu`: takes cases as lines of JSON and answers each with a line. Twin: tools/bench/gpu/worker.py.
//
//   node worker.js DEVICE CACHE [THREADS]        CACHE: a folder for the files of the training set
import { createInterface } from "node:readline";
import { setImmediate as nextTurn } from "node:timers/promises";
import { prepareEngine } from "../../src/experiment/engine.ts";
import * as torch from "../../src/torch/index.ts";
import type { Case, Way } from "./cases.ts";
import { measureCopy, measureMatmul } from "./ceiling-cases.ts";
import { isCard, resetMemory } from "./clock.ts";
import { measureAutoencoder, measureGroups, measureSampling } from "./inference-cases.ts";
import type { Answer, Hello, Measured, NotMeasured, Result } from "./protocol.ts";
import { measureTraining } from "./training-case.ts";

const [device = "cpu", cache = "", threads] = process.argv.slice(2);
const say = (value: Hello | Answer): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

async function measure(one: Case, way: Way): Promise<Measured[]> {
  switch (one.kind) {
    case "matmul":
      return measureMatmul(one, way, device);
    case "copy":
      return measureCopy(one, way, device);
    case "training":
      return measureTraining(one, way, { device, cache });
    case "sampling":
      return measureSampling(one, way, device);
    case "groups":
      return measureGroups(one, way, { device, cache });
    case "encode":
    case "decode":
      return measureAutoencoder(one, way, device);
  }
}

/** Why a way has no numbers. */
function failure(variant: Way, error: unknown): NotMeasured {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof torch.OutOfMemoryError)) return { variant, error: message };
  const { requestedBytes, freeBytes, totalBytes } = error;
  return {
    variant,
    outOfMemory: { message: message.split("\n")[0]!, requestedBytes, freeBytes, totalBytes },
  };
}

async function answer(one: Case): Promise<Answer> {
  const results: Result[] = [];
  for (const way of one.ways) {
    try {
      resetMemory(device);
      results.push(...(await measure(one, way)));
    } catch (error) {
      results.push(failure(way, error));
    }
    // What a failure left behind is the collector's.
    globalThis.gc?.();
    await nextTurn();
  }
  return { results };
}

function hello(): Hello {
  const built = torch.showConfig();
  return {
    torch: torch.libtorchVersion(),
    cuda: isCard(device) ? (/CUDA Runtime (\S+)/.exec(built)?.[1] ?? null) : null,
    cudnn: isCard(device) ? Number(/CuDNN (\d+(?:\.\d+)?)/.exec(built)?.[1] ?? NaN) || null : null,
    device: isCard(device) ? torch.deviceProperties(device).name : "cpu",
    node: process.versions.node,
  };
}

try {
  await prepareEngine({ device, threads: threads === undefined ? undefined : Number(threads) });
  say(hello());
} catch (error) {
  process.stderr.write(error instanceof Error ? error.message : String(error));
  process.exit(2);
}
for await (const line of createInterface({ input: process.stdin }))
  say(await answer(JSON.parse(line) as Case));
