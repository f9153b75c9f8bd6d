import { Worker } from "node:worker_threads";

import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";

import { scope, tensor, tensorCount } from "./index.ts";

// The addon itself, as a plain script: a worker does not go through vitest's transformation of TypeScript.
const script = `
  const { parentPort, workerData } = require("node:worker_threads");
  const addon = require(workerData);
  addon.setErrorFactory((kind, message) => new Error(kind + ": " + message));
  const ones = addon.op("ones", ""), add = addon.op("add", "Tensor"), matmul = addon.op("matmul", "");
  let x = addon.call(ones, [2, 2], "float32");
  for (let i = 0; i < 1000; i++) x = addon.call(add, x, 1);
  let message = "";
  try { addon.call(matmul, x, addon.call(ones, [3, 3], "float32")); } catch (error) { message = error.message; }
  parentPort.postMessage({ item: addon.item(addon.call(addon.op("sum", ""), x)), message, alive: addon.counts().tensors > 0 });
`;

describe("worker threads", () => {
  it("load the engine beside the main thread, with counts and errors of their own", async () => {
    const path = new URL("../../build/invdiff.node", import.meta.url).pathname;
    const before = settledTensorCount();
    const results = await Promise.all(
      [1, 2].map(
        () =>
          new Promise<{ item: number; message: string; alive: boolean }>((resolve, reject) => {
            const worker = new Worker(script, { eval: true, workerData: path });
            worker.once("message", resolve);
            worker.once("error", reject);
          }),
      ),
    );
    for (const { item, message, alive } of results) {
      expect(item).toBe(4 * 1001);
      expect(message).toMatch(/^TorchError: matmul\(self=float32\[2, 2\]/);
      expect(alive).toBe(true);
    }
    expect(tensorCount()).toBe(before);
    // The main thread's own state is untouched by the workers' end.
    scope(() => expect(tensor([1, 2]).add(1).toNumbers()).toEqual([2, 3]));
  });
});
